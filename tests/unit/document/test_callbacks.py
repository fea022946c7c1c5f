"""Which callbacks an event of the browser calls, and what a document notifies its listener of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bokeh.document import without_document_lock
from bokeh.events import ButtonClick, DocumentReady
from bokeh.io import curdoc
from bokeh.models import Button, Column, Div, TabPanel, Tabs

from app_server.document import engine
from app_server.document.callbacks import SessionCallback, Timing
from app_server.document.served import ServedDocument, new_document

engine.install()


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


def test_listener_hears_of_callbacks_added_before_it_and_of_no_more_than_there_are() -> None:
    document = new_document("one")
    heard: list[tuple[str, str]] = []

    class Listener:
        def patched(self, event: object) -> None: ...

        def callback_added(self, callback: SessionCallback) -> None:
            heard.append(("added", callback.timing.value))

        def callback_removed(self, ident: str) -> None:
            heard.append(("removed", ""))

    document.add_timeout_callback(lambda: None, 10)
    document.listen(Listener())
    handle = document.add_periodic_callback(lambda: None, 10)
    document.remove_periodic_callback(handle)
    assert heard == [("added", "timeout"), ("added", "periodic"), ("removed", "")]


@pytest.mark.parametrize("locked", [True, False])
def test_turn_calls_a_callback_itself_and_an_unlocked_one_as_bokeh_does(locked: bool) -> None:
    document, heard, seen = new_document("one"), list[SessionCallback](), list[str]()

    class Listener:
        def patched(self, event: object) -> None: ...

        def callback_added(self, callback: SessionCallback) -> None:
            heard.append(callback)

        def callback_removed(self, ident: str) -> None: ...

    def look() -> None:
        seen.append(type(curdoc()).__name__)

    function = look if locked else without_document_lock(look)
    document.add_periodic_callback(function, 10)
    document.listen(Listener())
    document.add_timeout_callback(function, 10)
    assert [callback.locked for callback in heard] == [locked, locked]
    assert (heard[0].function is function) == locked
    with document.at_work():
        for callback in heard:
            callback.function()
    assert seen == ["ServedDocument" if locked else "UnlockedDocumentProxy"] * 2


def test_timings_have_the_names_by_which_they_are_counted_and_logged() -> None:
    assert [(timing.kind, timing.says) for timing in Timing] == [
        ("next_tick", "a next tick callback"),
        ("timeout", "a timeout callback"),
        ("periodic", "a periodic callback"),
    ]


def test_roots_that_come_and_go_are_reported_and_other_changes_are_not() -> None:
    document, roots = new_document("one"), list[int]()
    document.listen_to_roots(lambda: roots.append(len(document.roots)))
    button = Button()
    document.add_root(button)
    button.label = "other"
    document.title = "other"
    document.remove_root(button)
    assert roots == [1, 0]


def test_document_that_has_ended_takes_no_callbacks() -> None:
    document = new_document("one")
    document.destroy()
    assert document.ended
    with pytest.raises(RuntimeError, match="^The session of this document has ended"):
        document.add_next_tick_callback(lambda: None)
