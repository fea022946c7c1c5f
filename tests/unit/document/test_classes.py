"""Model classes of scripts live as long as their sessions, and no session meets those of another one."""

from __future__ import annotations

import gc
import json
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.core.has_props import HasProps

from app_server.apps import load_application
from app_server.document import classes, engine
from app_server.document.encoding import patch
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.pages import embedding
from app_server.document.served import ServedDocument, new_document
from app_server.errors import ApplicationError, PeerError
from app_server.server import reload

engine.install()

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate qualified model")

SCRIPT = """
from bokeh.core.properties import Int
from bokeh.model import DataModel
from bokeh.plotting import curdoc

class Base(DataModel):
    low = Int(default=1)

class Counted(Base):
    n = Int(default=3)

class Unused(DataModel):
    later = Int(default=5)

curdoc().add_root(Counted(n=4, name="counted"))
"""

EXTENSION = """
from bokeh.core.properties import Int
from bokeh.models import LayoutDOM
from bokeh.util.compiler import JavaScript
from bokeh.plotting import curdoc

class Shown(LayoutDOM):
    __implementation__ = JavaScript("exports.Shown = class {}")
    PROPERTY = Int(default=1)

curdoc().add_root(Shown(name="shown"))
"""

_sessions = iter(range(10_000))
_built: list[ServedDocument] = []


@pytest.fixture(autouse=True)
def end_sessions() -> Iterator[None]:
    """Leave no class of a test for the next one."""
    yield
    while _built:
        document = _built.pop()
        if not document.callbacks.ended:
            document.destroy()


def build(script: Path) -> ServedDocument:
    """The document of a session of this script."""
    document = new_document(f"session {next(_sessions)}")
    try:
        with document.at_work():
            load_application(script).build(document)
    except BaseException:
        document.destroy()
        raise
    _built.append(document)
    return document


def definitions(document: ServedDocument) -> list[str]:
    """The names, without their modules, of the classes that a page is sent."""
    content, _ = encode_document(document)
    names = [each["name"] for each in json.loads(content)["doc"].get("defs", ())]
    return [name.rpartition(".")[2] for name in names if name.startswith(("bokeh_app_", "helper_of_classes."))]


def render(document: ServedDocument) -> str:
    """The page, whose scripts are looked for by all classes that are known."""
    return embedding.render_page(document, "token", embedding.Bundles(lambda path: "1").get("/"))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module beside a script that uses its data model."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = tmp_path / "helper_of_classes.py"
    path.write_text(SCRIPT.replace("curdoc().add", "def fill(): curdoc().add"))
    (tmp_path / "app.py").write_text("import helper_of_classes; helper_of_classes.fill()")
    yield path
    sys.modules.pop(path.stem, None)
    classes.forget([path.stem])


def test_sessions_after_one_that_ended_have_pages(script: Path) -> None:
    for _ in range(3):
        document = build(script)
        assert "token" in render(document)
        assert definitions(document) == ["Base", "Counted", "Unused"]
        document.destroy()
    assert not [name for name in HasProps.model_class_reverse_map if name.startswith("bokeh_app_")]


def test_page_is_sent_no_other_sessions_classes(script: Path) -> None:
    one, two = build(script), build(script)
    for document in (one, two):
        content, _ = encode_document(document)
        [module] = document.modules.names()
        defined = {each["name"].partition(".")[0] for each in json.loads(content)["doc"]["defs"]}
        assert {name for name in defined if name.startswith("bokeh_app_")} == {module}
        render(document)
    one.destroy()
    assert definitions(two) == ["Base", "Counted", "Unused"]
    render(two)
    two.destroy()


def test_session_that_could_not_be_built_leaves_no_class(script: Path) -> None:
    script.write_text(f"{SCRIPT}\nraise ValueError")
    with pytest.raises(ApplicationError):
        build(script)
    script.write_text("")
    render(build(script))


def test_package_that_could_not_be_run_leaves_no_class(tmp_path: Path, script: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "main.py").write_text("")
    (folder / "__init__.py").write_text(f"{SCRIPT.replace('curdoc().add', 'print')}\nraise ValueError")
    with pytest.raises(Exception):  # noqa: B017 - whatever it raises; what counts is what comes after it
        load_application(folder).prepare()
    render(build(script))


def test_classes_of_ended_sessions_are_freed(script: Path) -> None:
    freed: list[weakref.ref[Any]] = []
    for _ in range(130):
        document = build(script)
        encode_document(document)
        _built.clear()
        freed += [weakref.ref(type(root)) for root in document.roots]
        document.destroy()
    gc.collect()
    assert sum(ref() is not None for ref in freed) < 66


def test_client_makes_models_of_its_own_sessions_classes_only(script: Path) -> None:
    one, two = build(script), build(script)

    def add(document: ServedDocument, module: str) -> None:
        model = {"type": "object", "name": f"{module}.Counted", "id": f"new in {module}", "attributes": {"n": 9}}
        content = {"events": [{"kind": "RootAdded", "model": model}]}
        for event in patch.read_events(document, content, (), setter=None, max_bytes=1000):
            patch.apply(document, event)

    [own], [other] = one.modules.names(), two.modules.names()
    add(one, own)
    assert type(one.roots[-1]) is type(one.roots[0])
    with pytest.raises(PeerError, match="another session"):
        add(one, other)


def test_classes_of_one_name_are_each_sessions_own(script: Path) -> None:
    script.write_text(SCRIPT.replace("n = Int", '__qualified_model__ = "Same"\n    n = Int'))
    one = build(script)
    script.write_text(script.read_text().replace("n = Int", "m = Int").replace("n=4", "m=4"))
    two = build(script)

    def properties(document: ServedDocument) -> list[str]:
        content, _ = encode_document(document)
        [same] = [each for each in json.loads(content)["doc"]["defs"] if each["name"] == "Same"]
        return [each["name"] for each in same["properties"]]

    assert (properties(one), properties(two)) == (["n"], ["m"])
    two.destroy()
    assert properties(one) == ["n"]
    assert HasProps.model_class_reverse_map["Same"] is type(one.roots[0])
    one.destroy()
    assert "Same" not in HasProps.model_class_reverse_map


def test_scripts_of_pages_follow_an_extension_of_a_script(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(embedding.Bundles, "_make", lambda self, *_: made.append("made") or "bundle")
    bundles = embedding.Bundles(lambda path: "1")
    for text, expected in ((EXTENSION, 1), (EXTENSION, 1), (EXTENSION.replace("class {}", "class { }"), 2)):
        script.write_text(text)
        document = build(script)
        bundles.get("/")
        assert len(made) == expected
        document.destroy()
        bundles.get("/")
        assert len(made) == expected


def test_class_of_a_helper_is_loaded_anew_with_it(helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "own_modules", lambda: [(helper.stem, helper)])
    document = build(helper.with_name("app.py"))
    assert definitions(document) == ["Base", "Counted", "Unused"]
    document.destroy()
    helper.write_text(
        helper.read_text().replace("Unused", "Renamed").replace("n = Int", "m = Int").replace("n=4", "m=4")
    )
    reload.forget_modules()
    render(new_document("another"))
    document = build(helper.with_name("app.py"))
    assert definitions(document) == ["Base", "Counted", "Renamed"]
    assert document.roots[0].m == 4  # type: ignore[attr-defined]
    document.destroy()
