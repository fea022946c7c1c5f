"""Which files of components other processes learn of, and that a visitor's address imports nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app_server.document.ids import ModelIds
from app_server.document.served import ServedDocument
from app_server.guests.shared_files import SharedFiles

files: Any


@pytest.fixture(autouse=True, scope="module")
def _imported() -> None:
    """Panel, now and not before: once it is there, it adds to every page of the process."""
    global files
    files = importlib.import_module("app_server.guests.component_files")


@pytest.fixture
def components(tmp_path: Path) -> Iterator[Any]:
    """A module of components with files beside it, and one that leads to a file that is not there."""
    for name in ("lamp.js", "lamp.css", "page.css"):
        (tmp_path / name).write_text("")
    module = ModuleType("components_of_a_test")
    module.__file__ = str(tmp_path / "components_of_a_test.py")
    sys.modules[module.__name__] = module
    code = """
from panel.custom import ReactiveHTML

class Light(ReactiveHTML):
    __javascript__ = ["lamp.js", "missing.js", "https://example.org/far.js"]
    __css__ = ["lamp.css"]
    _template = "<p></p>"
"""
    exec(code, module.__dict__)
    yield module
    files.forget_files(frozenset({module.__name__}))
    del sys.modules[module.__name__]


def test_other_processes_find_what_this_one_may_serve(
    components: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shared, other = SharedFiles(), SharedFiles()
    shared.begin(folder)
    other.begin(folder)
    monkeypatch.setattr(files, "SHARED", shared)
    files.share_files()
    place = "components_of_a_test/Light"
    assert other.find(f"{place}/__javascript__/lamp.js") == tmp_path / "lamp.js"
    assert other.find(f"{place}/__css__/lamp.css") == tmp_path / "lamp.css"
    assert other.find(f"{place}/__javascript__/missing.js") is None
    assert files.find_component(f"{place}/__css__/lamp.css") == tmp_path / "lamp.css"
    assert files.find_component(f"{place}/__css__/page.css") is None
    files.forget_files(frozenset({"components_of_a_test"}))
    assert other.find(f"{place}/__css__/lamp.css") is None


def test_address_imports_nothing() -> None:
    assert files.find_component("antigravity/X/__css__/a.css") is None
    assert "antigravity" not in sys.modules


def test_classes_of_others_are_not_named(components: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = components.Light
    assert kind in files.shared_or_own(kind.__mro__[1])
    monkeypatch.setattr(files.classes, "is_others", lambda each, modules: each is kind)
    monkeypatch.setattr(type(files.state), "curdoc", ServedDocument(ModelIds("a session")))
    assert kind not in files.shared_or_own(kind.__mro__[1])
