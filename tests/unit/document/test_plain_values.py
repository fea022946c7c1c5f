from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Float, Int, Nullable, Required, String
from bokeh.core.property.descriptors import ColumnDataPropertyDescriptor, PropertyDescriptor
from bokeh.document.events import ColumnDataChangedEvent, ModelChangedEvent
from bokeh.model import Model
from bokeh.models import ColumnDataSource, Div, Slider

from app_server.document import engine, plain_values
from app_server.document.callbacks import UnsendableError
from app_server.document.served import ServedDocument, new_document

engine.install()

VALUES = ("", "a text", 0, -1.5, float("inf"), True, None, 2**80)


class Mine(Model):
    text = String(default="a")
    number = Required(Float)
    whole = Nullable(Int)
    even = Int(default=2).asserts(lambda self, value: value % 2 == 0, "must be even")


@contextmanager
def stock() -> Iterator[None]:
    """A block in which bokeh sets all values itself."""
    HasProps.__setattr__ = plain_values._stock_setattr  # type: ignore[method-assign]
    ColumnDataPropertyDescriptor.__set__ = plain_values._stock_set_columns  # type: ignore[method-assign]
    ModelChangedEvent.__init__ = plain_values._stock_init_changed  # type: ignore[method-assign]
    try:
        yield
    finally:
        assert plain_values.install()


class Heard:
    """What a document notifies of; it refuses integers that cannot be sent, as a session does."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object, object]] = []

    def patched(self, event: Any) -> None:
        if isinstance(event, ModelChangedEvent):
            if type(event.new) is int and abs(event.new) > 2**60:
                raise UnsendableError(event, ValueError("too large"))
            self.events.append((event.attr, event.new, event.setter))

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, ident: str) -> None: ...


def served(model: Model) -> tuple[ServedDocument, Heard]:
    document, heard = new_document("x"), Heard()
    document.add_root(model)
    document.listen(heard)
    return document, heard


def without_ids(value: object) -> str:
    return re.sub(r"id='[^']*'", "id", repr(value))


def outcome(model: Model, name: str, value: object) -> object:
    """All that setting the value does, to a model that belongs to a document."""
    called: list[object] = []
    document, heard = served(model)
    model.on_change(name, lambda attr, old, new: called.append((attr, without_ids(old), new)))
    failure = None
    try:
        setattr(model, name, value)
    except Exception as error:
        failure = type(error), str(error).replace(model.id, "")
    stored = model._property_values.get(name, "the default")
    return failure, type(stored), stored, called, heard.events, document.callbacks.noted


def kinds() -> list[type[Model]]:
    """All model classes that can be made without values."""
    made = []
    for kind in {*Model.model_class_reverse_map.values(), Mine}:
        try:
            kind()
        except Exception:
            continue
        made.append(kind)
    return sorted(made, key=lambda kind: kind.__qualified_model__)


def test_the_installed_bokeh_is_known() -> None:
    assert plain_values.installed()


def cases() -> Iterator[tuple[type[Model], str, object]]:
    """Each plain property of all model classes, once, with each of the values."""
    tried: set[PropertyDescriptor[Any]] = set()
    for kind in kinds():
        for name in kind.properties(_with_props=True):
            descriptor = kind.lookup(name)
            if descriptor not in tried and plain_values.plain_types(descriptor, kind):
                tried.add(descriptor)
                yield from ((kind, name, value) for value in VALUES)


def test_plain_values_of_all_models_are_set_as_bokeh_sets_them() -> None:
    tried = list(cases())
    # All of one kind first: to replace a method of all models takes as long as to set some values.
    with stock():
        expected = [outcome(kind(), name, value) for kind, name, value in tried]
    for (kind, name, value), said in zip(tried, expected, strict=True):
        assert outcome(kind(), name, value) == said, (kind, name, value)
    assert len(tried) > 300 * len(VALUES)


def test_properties_of_which_something_must_be_asked_are_not_plain() -> None:
    def plain(kind: type[Model], name: str) -> set[type]:
        return set(plain_values.plain_types(kind.lookup(name), kind))

    assert (plain(Div, "text"), plain(Slider, "value")) == ({str}, {int, float})
    assert plain(Mine, "whole") == {int, type(None)}
    assert plain(Mine, "even") == plain(Mine, "name") == plain(ColumnDataSource, "data") == set()


def test_a_class_with_its_own_trigger_is_asked() -> None:
    class Loud(Mine):
        def trigger(self, *arguments: Any, **named: Any) -> None:
            heard.append(arguments)
            super().trigger(*arguments, **named)

    heard: list[object] = []
    Loud(text="b").text = "c"
    assert heard == [("text", "a", "b", None, None), ("text", "b", "c", None, None)]


def test_values_of_new_models_are_set() -> None:
    mine = Mine(text="b", number=3, whole=None)
    assert (mine.text, mine.number, mine.whole) == ("b", 3, None)
    with pytest.raises(ValueError):
        Mine(text=3)


def test_change_of_a_model_is_described_as_bokeh_does() -> None:
    mine, document = Mine(), new_document("x")

    def described() -> list[dict[str, object]]:
        few = ModelChangedEvent(document, mine, "text", "b")
        return [vars(few), vars(ModelChangedEvent(document, mine, "text", "b", "setter", print))]  # type: ignore[arg-type]

    with stock():
        expected = described()
    assert described() == expected


def test_the_setter_goes_with_the_event() -> None:
    mine, setter = Mine(), object()
    _, heard = served(mine)
    Mine.text.set_from_json(mine, "c", setter=setter)
    assert heard.events == [("text", "c", setter)]


def test_what_is_held_back_is_sent_afterwards() -> None:
    mine = Mine()
    document, heard = served(mine)
    document.hold("combine")
    mine.text = "b"
    mine.text = "c"
    assert heard.events == []
    document.unhold()
    assert heard.events == [("text", "c", None)]


def test_source_with_its_own_trigger_is_asked() -> None:
    class Loud(ColumnDataSource):
        def trigger(self, *arguments: Any, **named: Any) -> None:
            heard.append(arguments[0])
            super().trigger(*arguments, **named)

    heard: list[object] = []
    source = Loud()
    served(source)
    heard.clear()
    source.data = {"a": [1]}
    assert heard == ["data"]


def test_columns_that_are_held_back_are_sent_afterwards() -> None:
    source = ColumnDataSource()
    document, _ = served(source)
    called: list[object] = []
    document.on_change(lambda event: called.append((type(event), dict(source.data))))
    document.hold()
    source.data = {"a": [1]}
    assert called == []
    document.unhold()
    assert called == [(ColumnDataChangedEvent, {"a": [1]})]


def test_columns_that_cannot_be_sent_are_not_set() -> None:
    class Refusing(Heard):
        def patched(self, event: Any) -> None:
            raise UnsendableError(event, ValueError("no"))

    source = ColumnDataSource(data={"a": [1]})
    document, _ = served(source)
    document.listen(Refusing())
    before = source.data
    with pytest.raises(UnsendableError):
        source.data = {"a": [2]}
    assert source.data is before == {"a": [1]}
    assert [owner for owner, _ in before._owners] == [source]


def set_columns(data: dict[str, object]) -> object:
    """All that setting the columns of a source in a document does."""
    source, called = ColumnDataSource(data={"a": [0]}), []
    document, _ = served(source)
    source.on_change("data", lambda attr, old, new: called.append((dict(old), dict(new))))
    before = document.callbacks.noted
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        source.data = data
    owners = [owner for owner, _ in source.data._owners]
    said = [str(warning.message) for warning in warned]
    return dict(source.data), type(source.data), owners == [source], called, document.callbacks.noted - before, said


@pytest.mark.parametrize("data", [{}, {"a": [1], "b": (2,), "c": np.arange(1)}, {"a": [1], "b": [1, 2]}])
def test_columns_are_set_as_bokeh_sets_them(data: dict[str, object]) -> None:
    with stock():
        expected = set_columns(data)
    assert set_columns(data) == expected


@pytest.mark.parametrize("data", [{1: [1]}, {"a": 1}, {"a": "text"}, {"a": {1}}, {"a": None}, [], None])
def test_what_are_no_columns_is_refused_in_bokehs_words(data: object) -> None:
    def refusal() -> str:
        source = ColumnDataSource()
        served(source)
        with pytest.raises(ValueError) as error:
            source.data = data
        return str(error.value).replace(source.id, "")

    with stock():
        expected = refusal()
    assert refusal() == expected


def test_columns_that_are_the_same_as_before_are_sent_all_the_same() -> None:
    source = ColumnDataSource(data={"a": [1]})
    document, _ = served(source)
    before = document.callbacks.noted
    called: list[object] = []
    source.on_change("data", lambda attr, old, new: called.append((dict(old), dict(new))))
    source.data = {"a": [1]}
    source.data["a"] = [2]
    assert called == [({"a": [1]}, {"a": [1]}), ({"a": [1]}, {"a": [2]})]
    assert document.callbacks.noted == before + 2
