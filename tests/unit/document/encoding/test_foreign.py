from __future__ import annotations

import gzip
import importlib
import os
import pkgutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bokeh.core.has_props import HasProps
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import Button, CustomAction, ImageURLTexture, Slider, Toolbar

from app_server.document import engine
from app_server.document.encoding import patch
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.foreign import ForeignText
from app_server.document.remote import Mirror
from app_server.document.served import ServedDocument, new_document
from app_server.errors import PeerError

engine.install()

SECRET = "4c1b7d"
SVG = f"<svg xmlns='http://www.w3.org/2000/svg'><text>{SECRET}</text></svg>"

_touched: list[str] | None = None
"""What the operating system was asked for, while somebody wants to know."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _touched is not None and event.partition(".")[0] in ("open", "import", "exec", "compile", "os", "subprocess"):
        _touched.append(f"{event} {arguments!r:.200}")


sys.addaudithook(_audit)


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What files are opened or looked for, and what code is run or imported, in this block."""
    global _touched
    seen: list[str] = []
    stat, warm = os.stat, _touched

    def looked_for(path: Any, *args: Any, **options: Any) -> os.stat_result:
        seen.append(f"stat {path!r}")
        return stat(path, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", looked_for)
        _touched = seen
        try:
            yield seen
        finally:
            _touched = warm


WITH_PANEL = "APP_SERVER_TEST_WITH_PANEL"


def model_classes() -> list[type[Model]]:
    """Every model class that bokeh has, and Panel too in a process that is meant for it."""
    if os.environ.get(WITH_PANEL):
        models = importlib.import_module("panel.models")
        for module in pkgutil.iter_modules(models.__path__):
            importlib.import_module(f"panel.models.{module.name}")
    known = {kind for kind in HasProps.model_class_reverse_map.values() if issubclass(kind, Model)}
    return sorted(known, key=lambda kind: kind.__qualified_model__)


def probes(path: str) -> list[Any]:
    """The path of a file in each shape in which a property may want it."""
    return [path, [path], [[path, path]], {"a": path}, {"a": [path]}, {"value": path}, {"path": path, "url": path}]


def as_sent(value: Any) -> Any:
    if isinstance(value, dict):
        return {"type": "map", "entries": [[key, as_sent(item)] for key, item in value.items()]}
    return [as_sent(item) for item in value] if isinstance(value, list) else value


def receive(document: ServedDocument, *events: dict[str, Any]) -> None:
    with document.at_work():
        for event in patch.read_events(document, {"events": list(events)}, [], setter=object(), max_bytes=10**6):
            patch.apply(document, event)


def shown(document: ServedDocument) -> str:
    return encode_document(document, inline=True)[0].decode()


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "secret.svg"
    file.write_text(SVG)
    return file


def test_no_property_of_any_model_opens_a_file_or_runs_code_for_a_client(
    picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = {
        (type(kind.lookup(name).property), str(kind.lookup(name).property)): (kind, name)
        for kind in model_classes()
        for name in kind.properties(_with_props=True)
    }
    assert len(kinds) > 300
    monkeypatch.chdir(picture.parent)
    sent = [as_sent(probe) for path in (str(picture), picture.name) for probe in probes(path)]
    document = new_document("session")
    models: dict[type, Model] = {}
    found = []
    for kind, name in kinds.values():
        if kind not in models:
            with document.at_work():
                models[kind] = kind.__new__(kind, id=f"m{len(models)}")  # as the decoder makes them
                HasProps.__init__(models[kind])
                document.add_root(models[kind])
        for value in sent:
            for event in ("ModelChanged", "ColumnDataChanged"):
                rep = {"kind": event, "model": {"id": models[kind].id}, "attr": name, "new": value, "data": value}
                del rep["data" if event == "ModelChanged" else "new"]
                with watched(monkeypatch) as seen:
                    try:
                        receive(document, rep)
                    except Exception:  # most properties want something else
                        pass
                found += [f"{kind.__name__}.{name}: {line}" for line in seen if picture.name in line]
                assert SECRET not in repr(models[kind]._property_values.get(name))
    assert found == [], found


def test_no_property_of_panels_models_does_either(picture: Path) -> None:
    # In a process of its own: once Panel's models are there, they add to every page. Without pytest, which takes
    # longer to begin than the test.
    test = test_no_property_of_any_model_opens_a_file_or_runs_code_for_a_client.__name__
    code = f"""
import pathlib, pytest, warnings
from {Path(__file__).stem} import {test} as test, model_classes
warnings.simplefilter("ignore")
count = sum(kind.__module__.startswith("panel.") for kind in model_classes())
with pytest.MonkeyPatch.context() as monkeypatch:
    test(pathlib.Path({str(picture)!r}), monkeypatch)
print(count)
"""
    environment = {**os.environ, WITH_PANEL: "1", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50, "Panel's models were looked at"


@pytest.mark.parametrize("kind", ["CustomAction", "ImageURLTexture", "Div"])
def test_models_that_a_client_adds_name_no_files(kind: str, picture: Path) -> None:
    document = new_document("session")
    name = "url" if kind == "ImageURLTexture" else "icon"
    values = {name: str(picture)} if kind != "Div" else {"tags": [{"type": "object", "name": "CustomAction", "id": "t",
              "attributes": {"icon": str(picture)}}]}  # fmt: skip
    receive(document, {"kind": "RootAdded", "model": {"type": "object", "name": kind, "id": "m", "attributes": values}})
    assert str(picture) in shown(document) and SECRET not in shown(document)


def test_file_that_is_there_and_one_that_is_not_give_the_same(picture: Path) -> None:
    document = new_document("session")
    with document.at_work():
        document.add_root(CustomAction(icon="save", name="action"))
    action = document.get_model_by_name("action")
    for path in (str(picture), str(picture.with_name("missing.svg")), "/proc/self/environ", str(picture.parent)):
        receive(document, {"kind": "ModelChanged", "model": {"id": action.id}, "attr": "icon", "new": path})  # type: ignore[union-attr]
        assert (action.icon, type(action.icon)) == (path, ForeignText)  # type: ignore[union-attr]


def test_document_that_a_client_pushes_names_no_files(picture: Path) -> None:
    document = new_document("session")
    action = {"type": "object", "name": "CustomAction", "id": "m", "attributes": {"icon": str(picture)}}
    patch.replace_document(document, {"doc": {"roots": [action], "title": "t"}}, [], max_bytes=10**6)
    assert str(picture) in shown(document) and SECRET not in shown(document)


def test_what_a_client_sent_names_no_file_where_the_application_copies_it(picture: Path) -> None:
    document = new_document("session")
    with document.at_work():
        document.add_root(ImageURLTexture(url="data:image/png;base64,", name="texture"))
    texture: Any = document.get_model_by_name("texture")
    receive(document, {"kind": "ModelChanged", "model": {"id": texture.id}, "attr": "url", "new": str(picture)})
    assert texture.clone().url == CustomAction(icon=texture.url).icon == str(picture)


def test_applications_own_paths_are_read_as_ever(picture: Path) -> None:
    document = new_document("session")
    with document.at_work():
        document.add_root(Slider(start=0, end=1, value=0, name="slider"))
        document.add_root(Toolbar(tools=[CustomAction(icon="save", name="action")]))
    slider: Any = document.get_model_by_name("slider")
    action: Any = document.get_model_by_name("action")
    slider.on_change("value", lambda attr, old, new: action.update(icon=str(picture)))
    receive(document, {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": 1})
    assert SECRET in action.icon
    assert SECRET in CustomAction(icon=picture).icon  # type: ignore[arg-type]


class Silent:
    def changed(self, content: bytes, buffers: object) -> None: ...
    def callback_added(self, callback: object) -> None: ...
    def callback_removed(self, ident: str) -> None: ...


def test_server_cannot_have_its_client_read_files_either(picture: Path) -> None:
    mirror = Mirror(Document(), Silent())
    action = {"type": "object", "name": "CustomAction", "id": "m", "attributes": {"icon": str(picture)}}
    mirror.replace({"doc": {"roots": [action], "title": "t"}}, [])
    changed: Any = mirror.document.roots[0]
    assert changed.icon == str(picture)
    for attr in ("icon", "description"):
        event = {"kind": "ModelChanged", "model": {"id": "m"}, "attr": attr, "new": str(picture)}
        mirror.apply({"events": [event]}, [])
    new = {"type": "object", "name": "CustomAction", "id": "n", "attributes": {"icon": str(picture)}}
    mirror.apply({"events": [{"kind": "RootAdded", "model": new}]}, [])
    assert SECRET not in mirror.whole()[0].decode()


def test_icons_of_a_client_are_kept_as_they_are() -> None:
    document = new_document("session")
    with document.at_work():
        document.add_root(Button(label="b", name="button"))
    for number, icon in enumerate(("save", ".class", "--variable", "data:image/png;base64,AAAA", "https://a/b.png")):
        attributes = {"icon": icon}
        model = {"type": "object", "name": "CustomAction", "id": f"m{number}", "attributes": attributes}
        receive(document, {"kind": "RootAdded", "model": model})
        assert document.get_model_by_id(f"m{number}").icon == icon  # type: ignore[arg-type,union-attr]


def test_server_cannot_fill_its_clients_memory() -> None:
    mirror = Mirror(Document(), Silent(), max_bytes=10**6)
    array = {"type": "bytes", "data": b64encode(gzip.compress(bytes(400_000))).decode()}
    for count in (2, 3):
        root = {"type": "object", "name": "Div", "id": f"d{count}", "attributes": {"tags": [array] * count}}
        content = {"doc": {"roots": [root], "title": "t"}}
        if count == 2:
            mirror.replace(content, [])
            continue
        with pytest.raises(PeerError, match="the arrays of a message are larger than 1000000 bytes"):
            mirror.replace(content, [])
        with pytest.raises(PeerError, match="the arrays of a message are larger than 1000000 bytes"):
            mirror.apply({"events": [{"kind": "RootAdded", "model": root}]}, [])


def test_megabytes_that_a_property_refuses_are_not_in_its_error() -> None:
    document = new_document("session")
    with document.at_work():
        document.add_root(Slider(start=0, end=1, value=0, name="slider"))
    slider: Any = document.get_model_by_name("slider")
    with pytest.raises(PeerError, match="failed to validate Slider") as refused:
        receive(document, {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": [1] * 300_000})
    assert len(str(refused.value)) < 1100  # the log is to have the reason, and not what was sent

    def fail(attr: str, old: object, new: object) -> None:
        raise ValueError("a callback's own words" * 100)

    slider.on_change("value", fail)
    with pytest.raises(ValueError, match="a callback's own words") as raised:
        receive(document, {"kind": "ModelChanged", "model": {"id": slider.id}, "attr": "value", "new": 0.5})
    assert len(str(raised.value)) == 2200


def test_names_that_are_no_properties_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    document = new_document("session")
    attributes = {f"{number}{'x' * 1000}": 0 for number in range(1000)}
    model = {"type": "object", "name": "Div", "id": "d", "attributes": attributes}
    receive(document, {"kind": "RootAdded", "model": model})
    lines = [record.getMessage() for record in caplog.records]
    assert 0 < len(lines) <= 100 and max(map(len, lines)) < 150
    assert lines[0].startswith("Div has no property '0xxx") and lines[0].endswith("; it was left out")
