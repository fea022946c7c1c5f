"""The documents of applications: which callbacks an event of the browser calls, and what an unlocked one may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bokeh.events import ButtonClick, DocumentReady
from bokeh.models import Button, Column, Div, TabPanel, Tabs

from app_server.document.served import ServedDocument, new_document


def in_root(document: ServedDocument, button: Button) -> None:
    document.add_root(button)


def in_children(document: ServedDocument, button: Button) -> None:
    column = Column(children=[Div()])
    document.add_root(column)
    column.children.append(button)


def in_tab(document: ServedDocument, button: Button) -> None:
    tabs = Tabs(tabs=[])
    document.add_root(tabs)
    tabs.tabs = [*tabs.tabs, TabPanel(title="One", child=Column(children=[button]))]


@pytest.mark.parametrize("place", [in_root, in_children, in_tab])
def test_callback_is_called_once_whether_it_was_registered_before_or_after(
    place: Callable[[ServedDocument, Button], None],
) -> None:
    document, button, called = new_document("one"), Button(), list[str]()
    button.on_click(lambda: called.append("before"))
    place(document, button)
    button.on_click(lambda: called.append("after"))
    document.callbacks.trigger_event(ButtonClick(button))
    assert called == ["before", "after"]


def test_first_callback_may_be_registered_after_its_model_was_added() -> None:
    document, button, called = new_document("one"), Button(), list[str]()
    document.add_root(button)
    button.on_event("button_click", lambda event: called.append(event.event_name))
    document.callbacks.trigger_event(ButtonClick(button))
    assert called == ["button_click"]


def test_event_is_its_own_models() -> None:
    document, called = new_document("one"), list[str]()
    pressed, other = Button(label="pressed"), Button(label="other")
    for button in (pressed, other):
        button.on_click(lambda event: called.append(event.model.label))
        document.add_root(button)
    document.callbacks.trigger_event(ButtonClick(pressed))
    assert called == ["pressed"]


def test_events_of_no_model_reach_the_document() -> None:
    document, called = new_document("one"), list[str]()
    document.add_root(Button())
    document.on_event(DocumentReady, lambda event: called.append("ready"))
    document.callbacks.trigger_event(DocumentReady())
    document.callbacks.trigger_event(ButtonClick(None))
    assert called == ["ready"]


# What an unlocked callback may do


@pytest.mark.parametrize("name", ["title", "theme", "template", "template_variables", "anything"])
def test_attribute_cannot_be_set(name: str) -> None:
    document = new_document("one")
    unlocked = document.unlocked()
    with pytest.raises(AttributeError) as raised:
        setattr(unlocked, name, "x")
    assert str(raised.value) == (
        f"An unlocked callback cannot set {name} of the document: other callbacks may be changing it."
        " Set it in a callback that you add with add_next_tick_callback."
    )


def test_next_tick_callbacks_come_and_go() -> None:
    document = new_document("one")
    unlocked = document.unlocked()
    handle = unlocked.add_next_tick_callback(lambda: None)
    assert len(document.session_callbacks) == 1
    unlocked.remove_next_tick_callback(handle)
    assert document.session_callbacks == []
    with pytest.raises(AttributeError, match="add_next_tick_callback"):
        unlocked.add_root  # noqa: B018
