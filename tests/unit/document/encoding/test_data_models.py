"""The data models that a page is sent: its own document's, and each after those that it is derived from."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from bokeh.core.properties import Int
from bokeh.model import DataModel, Model
from bokeh.models import Slider

from app_server.document import classes, engine
from app_server.document.encoding.data_models import data_models_of
from app_server.document.served import ServedDocument, new_document

engine.install()

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate qualified model")

_made: list[str] = []


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    classes.forget(_made)
    _made.clear()


def define(module: str, name: str, *bases: type, **names: Any) -> type[Any]:
    """A model class of this module."""
    _made.append(module)
    return type(name, bases or (DataModel,), {"__module__": module, **names})


def session(module: str) -> ServedDocument:
    """A document with a module of its own."""
    document = new_document(module)
    document.modules.add(ModuleType(module))
    return document


def defined(document: ServedDocument) -> list[str]:
    """The names of the data models of this test's modules."""
    return [kind.__name__ for kind in data_models_of(document) if kind.__module__ in _made]


def test_models_of_bokeh_are_none() -> None:
    document = new_document("one")
    document.add_root(Slider(start=0, end=1, value=0))
    assert [kind for kind in data_models_of(document) if kind.__module__.partition(".")[0] == "bokeh"] == []


def test_class_that_no_model_is_of_yet_is_told() -> None:
    define("shared_a", "Later", value=Int(default=1))
    assert defined(new_document("one")) == ["Later"]


def test_bases_come_first() -> None:
    base = define("shared_b", "Base")
    middle = define("shared_b", "Middle", base)
    define("shared_b", "Last", middle)
    assert defined(new_document("one")) == ["Base", "Middle", "Last"]


def test_model_that_is_no_data_model_is_not_told() -> None:
    define("shared_c", "Plain", Model)
    define("shared_c", "Data")
    assert defined(new_document("one")) == ["Data"]


def test_class_that_comes_later_is_told_from_then_on() -> None:
    document = new_document("one")
    define("shared_d", "First")
    assert defined(document) == ["First"]
    define("shared_d", "Second")
    assert defined(document) == ["First", "Second"]
    classes.forget(["shared_d"])
    assert defined(document) == []


def test_page_is_not_told_of_another_sessions_classes() -> None:
    one, two = session("bokeh_app_e1"), session("bokeh_app_e2")
    define("bokeh_app_e1", "Own")
    define("bokeh_app_e2", "Others")
    assert defined(one) == ["Own"]
    assert defined(two) == ["Others"]


def test_of_classes_of_one_name_each_page_is_told_of_its_own() -> None:
    one, two = session("bokeh_app_f1"), session("bokeh_app_f2")
    mine = define("bokeh_app_f1", "Same", __qualified_model__="Same")
    other = define("bokeh_app_f2", "Same", __qualified_model__="Same")
    one.add_root(mine())
    two.add_root(other())
    assert mine in data_models_of(one) and other not in data_models_of(one)
    assert other in data_models_of(two) and mine not in data_models_of(two)


def test_bases_come_first_where_a_name_was_defined_before_without_them() -> None:
    define("shared_g", "Last")
    base = define("shared_g", "Base")
    define("shared_g", "Last", base)
    assert defined(new_document("one")) == ["Base", "Last"]
