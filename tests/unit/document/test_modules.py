"""The modules of an application that end with their document."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from bokeh.core.has_props import HasProps
from bokeh.document import Document

from app_server.document import engine
from app_server.document.modules import Modules

engine.install()

NAME = "tests_modules_app"
CLASS = "class Shown(Model):\n    pass\n"


@pytest.fixture
def document() -> Document:
    return Document()


@pytest.fixture
def modules(document: Document) -> Iterator[Modules]:
    made = Modules(document)
    yield made
    made.destroy()


def module(name: str, code: str = "") -> ModuleType:
    """A module that has run this code."""
    made = ModuleType(name)
    exec(f"from bokeh.model import Model\n{code}", vars(made))
    return made


def known(name: str) -> bool:
    """Whether bokeh knows a model class of this name."""
    return name in HasProps.model_class_reverse_map


def test_document_has_no_modules_at_first(modules: Modules) -> None:
    assert modules.names() == frozenset()


def test_module_is_importable_until_the_end(modules: Modules) -> None:
    added = ModuleType(NAME)
    modules.add(added)
    assert sys.modules[NAME] is added
    assert modules.names() == {NAME}
    modules.destroy()
    assert NAME not in sys.modules
    assert modules.names() == frozenset()


def test_end_empties_the_modules(modules: Modules) -> None:
    added = module(NAME, "value = [1, 2, 3]\n")
    modules.add(added)
    modules.destroy()
    assert vars(added) == {}


def test_end_ends_all_modules_and_no_others(document: Document) -> None:
    first, second = Modules(document), Modules(document)
    for manager, names in ((first, ["a", "b"]), (second, ["c"])):
        for name in names:
            manager.add(ModuleType(f"{NAME}_{name}"))
    first.destroy()
    assert {name for name in sys.modules if name.startswith(NAME)} == {f"{NAME}_c"}
    second.destroy()
    assert not any(name.startswith(NAME) for name in sys.modules)


def test_module_that_was_taken_from_the_imported_ones_ends_too(modules: Modules) -> None:
    added = ModuleType(NAME)
    modules.add(added)
    del sys.modules[NAME]
    modules.destroy()
    assert modules.names() == frozenset() and vars(added) == {}


def test_second_end_does_nothing(modules: Modules) -> None:
    modules.add(ModuleType(NAME))
    modules.destroy()
    other = sys.modules[NAME] = ModuleType(NAME)
    try:
        modules.destroy()
        assert sys.modules[NAME] is other
    finally:
        del sys.modules[NAME]


def test_second_module_of_a_name_is_refused_and_the_first_stays(modules: Modules) -> None:
    first = ModuleType(NAME)
    modules.add(first)
    with pytest.raises(RuntimeError):
        modules.add(first)
    assert sys.modules[NAME] is first and modules.names() == {NAME}


def test_model_classes_of_a_module_end_with_it(modules: Modules) -> None:
    added = ModuleType(NAME)
    modules.add(added)
    exec(f"from bokeh.model import Model\n{CLASS}", vars(added))
    assert known(f"{NAME}.Shown")
    modules.destroy()
    assert not known(f"{NAME}.Shown")


def test_names_that_are_held_are_there_until_the_last_hold_has_ended(modules: Modules) -> None:
    added = module(NAME, "value = [1, 2, 3]\n")
    modules.add(added)
    first, second = modules.hold(), modules.hold()
    modules.destroy()
    assert NAME not in sys.modules and vars(added)["value"] == [1, 2, 3]
    first()
    assert vars(added)["value"] == [1, 2, 3]
    second()
    assert vars(added) == {}


def test_hold_that_ends_before_the_document_keeps_nothing(modules: Modules) -> None:
    added = module(NAME)
    modules.add(added)
    modules.hold()()
    assert "Model" in vars(added)
    modules.destroy()
    assert vars(added) == {}
