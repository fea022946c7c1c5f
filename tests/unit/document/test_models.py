"""Which models a document has, and which of them the clients have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from bokeh.core.has_props import HasProps
from bokeh.core.properties import AnyRef, Instance, InstanceDefault, Nullable
from bokeh.document import Document
from bokeh.model import Model
from bokeh.models import Column, ColumnDataSource, CustomJS, Range1d, Slider, TextInput
from bokeh.themes import Theme

from app_server.document.models import Models, reachable
from app_server.document.served import ServedDocument, new_document


class Holder(Model):
    """A model that can hold anything."""

    held = AnyRef(default=None)


class Maker(Model):
    """A model that makes another one."""

    made = Instance(Range1d, default=InstanceDefault(Range1d))


class Part(HasProps):
    """Has properties, but is no model."""

    target = Nullable(Instance(Model))


@dataclass
class Pair:
    """A value of two fields."""

    first: Any
    second: Any


def slider(name: str | None = None) -> Slider:
    return Slider(name=name, start=0, end=1, value=0)


@pytest.fixture
def document() -> ServedDocument:
    return new_document("one")


def models(document: Document) -> Models:
    """The manager of the document's models."""
    found = document.models
    assert isinstance(found, Models)
    return found


# Which models there are


@pytest.mark.parametrize(
    "hold",
    [
        lambda model: model,
        lambda model: [model],
        lambda model: (1, "text", None, model),
        lambda model: {"key": model},
        lambda model: {model: "value"},
        lambda model: [{"deep": ([{"deeper": model}],)}],
        lambda model: Pair(1, model),
        lambda model: Pair([Pair(model, None)], "text"),
        lambda model: Part(target=model),
        lambda model: [model, model],
    ],
    ids=["itself", "list", "tuple", "value", "key", "nested", "dataclass", "dataclasses", "no model", "twice"],
)
def test_model_is_found_in_whatever_holds_it(hold: Any) -> None:
    inner = slider()
    holder = Holder(held=hold(inner))
    assert reachable([holder]) == {holder.id: holder, inner.id: inner}


def test_nothing_is_found_from_nothing() -> None:
    assert reachable([]) == {}


def test_part_that_is_no_model_is_not_found_itself() -> None:
    holder = Holder(held=Part())
    assert reachable([holder]) == {holder.id: holder}


def test_models_that_refer_to_each_other_are_found_once() -> None:
    one, two = Holder(), Holder()
    one.held, two.held = two, one
    assert reachable([one, two]) == {one.id: one, two.id: two}


def test_list_and_dictionary_that_hold_themselves_end() -> None:
    inner, endless, around = slider(), list[Any](), dict[str, Any]()
    endless += [endless, inner]
    around["around"] = around
    holder = Holder(held=Pair(endless, around))
    assert reachable([holder]) == {holder.id: holder, inner.id: inner}


def test_model_that_was_made_by_default_is_found_until_another_one_is_set() -> None:
    maker = Maker()
    made = maker.made
    assert reachable([maker]) == {maker.id: maker, made.id: made}
    maker.made = other = Range1d(0, 1)
    assert reachable([maker]) == {maker.id: maker, other.id: other}


def test_models_that_a_theme_sets_are_found(document: ServedDocument) -> None:
    holder = Holder()
    document.theme = Theme(json={"attrs": {"Holder": {"held": CustomJS(code="themed")}}})
    document.add_root(holder)
    assert holder.held.code == "themed"
    assert set(reachable([holder])) == {holder.id, holder.held.id}  # bokeh makes a copy for each who asks
    holder.held = None
    assert reachable([holder]) == {holder.id: holder}


def test_long_chain_of_models_is_followed_to_its_end() -> None:
    chain = [Holder()]
    for _ in range(5000):
        chain.append(Holder(held=chain[-1]))
    assert len(reachable(chain[-1:])) == 5001


# Which models the document has


def test_models_are_found_by_name_and_id(document: ServedDocument) -> None:
    a, b, unnamed = slider("a"), slider("b"), slider()
    document.add_root(Column(a, b, unnamed))
    assert document.get_model_by_name("a") is a and document.get_model_by_name("b") is b
    assert document.get_model_by_id(unnamed.id) is unnamed
    assert document.get_model_by_name("c") is None


def test_model_that_comes_and_goes_is_attached_and_detached(document: ServedDocument) -> None:
    column, inner = Column(), slider("inner")
    document.add_root(column)
    assert inner.document is None
    column.children = [inner]
    assert inner.document is document
    column.children = []
    assert inner.document is None and document.get_model_by_name("inner") is None
    assert document.models.seen(inner.id) and not document.models.seen(column.id)


def test_model_of_another_document_is_refused_and_changes_nothing(document: ServedDocument) -> None:
    other = new_document("two")
    shared, own = slider("shared"), slider("own")
    other.add_root(shared)
    document.add_root(own)
    before = set(document.models)
    with pytest.raises(RuntimeError) as caught:
        document.add_root(Column(shared))
    assert str(caught.value) == f"{shared!r} belongs to another document already: make one for each document"
    assert set(document.models) == before == {own, *own.references()}
    assert shared.document is other


def test_models_are_counted_whenever_they_are_looked_at(document: ServedDocument) -> None:
    looked_at = models(document).looked_at
    root = Holder()
    document.add_root(root)
    assert models(document).looked_at == looked_at + 1
    root.held = Holder()
    assert models(document).looked_at == looked_at + 3


def test_nothing_is_recomputed_for_a_document_that_is_gone() -> None:
    document = Document()
    managed = Models(document)
    del document
    managed.recompute()
    assert list(managed) == [] and managed.looked_at == 0


# Which models the clients have


def test_clients_have_a_model_once_they_got_it(document: ServedDocument) -> None:
    root = Holder()
    document.add_root(root)
    assert not models(document).clients_have(root)
    models(document).clients_got(lambda model: True)
    assert models(document).clients_have(root)


def test_clients_have_only_what_the_message_contained(document: ServedDocument) -> None:
    sent, later = Holder(name="sent"), Holder(name="later")
    document.add_root(Holder(held=[sent, later]))
    models(document).clients_got(lambda model: model is not later)
    assert models(document).clients_have(sent) and not models(document).clients_have(later)
    models(document).clients_got(lambda model: True)
    assert models(document).clients_have(later)


def test_message_is_not_asked_if_no_model_is_new(document: ServedDocument) -> None:
    document.add_root(Holder())
    models(document).clients_got(lambda model: True)
    models(document).clients_got(pytest.fail)


def test_clients_do_not_have_a_model_that_has_left_or_come_again(document: ServedDocument) -> None:
    root, inner = Holder(), ColumnDataSource()
    root.held = inner
    document.add_root(root)
    models(document).clients_got(lambda model: True)
    root.held = None
    assert not models(document).clients_have(inner)
    root.held = inner
    assert not models(document).clients_have(inner)


def test_clients_do_not_have_a_strangers_model_of_the_same_id(document: ServedDocument) -> None:
    root = Holder()
    document.add_root(root)
    models(document).clients_got(lambda model: True)
    stranger = Holder.__new__(Holder, id=root.id)
    assert stranger.id == root.id and not models(document).clients_have(stranger)


# The end


def test_end_takes_callbacks_and_documents_from_the_models(document: ServedDocument) -> None:
    text = TextInput()
    text.on_change("value", lambda attr, old, new: None)
    text.on_event("value_submit", lambda event: None)
    document.add_root(text)
    document.destroy()
    assert list(document.models) == []
    assert text.document is None
    assert "_callbacks" not in vars(text) and "_event_callbacks" not in vars(text)
