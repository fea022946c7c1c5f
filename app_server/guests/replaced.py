"""The functions of Panel that reach into their server, and what they do here.

Panel asks for private attributes of sessions and connections and writes to their sockets itself. Here those few
functions are replaced by ones that ask this server. All else in Panel stays as it is, but for edits of tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import panel
import panel.io.document
import panel.io.location
import panel.util
import panel.viewable
from bokeh.document.events import DocumentPatchedEvent, MessageSentEvent
from panel.io.state import state

from app_server.document.callbacks import DocumentEvent
from app_server.document.holds import without_repetition
from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError, OperatorError
from app_server.guests.addresses import location_of, route_of
from app_server.guests.scheduling import cancel_task, schedule_task
from app_server.guests.threads import report_failure

_REPLACED = (
    (panel.io.document, "write_events"),
    (panel.io.document, "_drain_unconnected_events"),
    (panel.io.location.Location, "from_request"),
    (panel.viewable.Renderable, "_server_destroy"),
    (type(state), "user"),
    (type(state), "access_token"),
    (type(state), "_is_launching"),
    (type(state), "block_expiration"),
    (type(state), "unblock_expiration"),
    (type(state), "schedule_task"),
    (type(state), "cancel_task"),
    (type(state), "_handle_future_exception"),
)


def teach() -> None:
    """Replace the functions of Panel that reach into their server."""
    missing = [f"{holder.__name__}.{name}" for holder, name in _REPLACED if not hasattr(holder, name)]
    if missing:
        raise OperatorError(
            f"Panel {panel.__version__} has no {missing[0]}, which this server replaces",
            hint="Install the Panel that this server was made for: panel>=1.9,<1.11",
        )
    _tell_of_edits(panel.widgets.Tabulator)
    panel.io.document.write_events = _write_events
    panel_drain = panel.io.document._drain_unconnected_events
    panel.io.document._drain_unconnected_events = lambda document, lock: _drain(
        document, partial(panel_drain, lock=lock)
    )
    panel.io.location.Location.from_request = classmethod(_location_from_request)
    panel.viewable.Renderable._server_destroy = _leave_document
    panel_user = type(state).user
    type(state).user = property(lambda self: _user() or panel_user.fget(self))
    panel_token = type(state).access_token
    type(state).access_token = property(lambda self: _access_token() or panel_token.fget(self))
    # Panel asks whether the application has sessions: not in the first one only may a component bring its files along.
    type(state)._is_launching = property(lambda self: self.curdoc in self._launching)
    # Panel 1.10 asks which loop a thread runs; the thread that builds a document is the one of its turns.
    if hasattr(type(state), "_on_loop_thread"):
        type(state)._on_loop_thread = property(lambda self: self._thread_id in (None, self._current_thread))
    panel_block, panel_unblock = type(state).block_expiration, type(state).unblock_expiration
    type(state).block_expiration = lambda self: _unless_alone(partial(panel_block, self), _block_expiration)
    type(state).schedule_task = staticmethod(schedule_task)
    type(state).cancel_task = staticmethod(cancel_task)
    type(state)._handle_future_exception = report_failure
    type(state).unblock_expiration = lambda self: _unless_alone(partial(panel_unblock, self), _unblock_expiration)


def _write_events(
    document: ServedDocument, connections: Sequence[Any], events: Sequence[DocumentEvent], run: bool = True
) -> list[Any]:
    """Send these changes at once, in the middle of a callback: a user who waits for a long one sees its progress.

    The list is what Panel 1.10 is to wait for: nothing.
    """
    context: Any = document.session_context
    session = None if context is None else context.session
    if session is None:
        return []
    with document.changing:
        for event in events:
            session.patched(event)
    session.send_now()
    return []


def _drain(document: ServedDocument, drain: Callable[[ServedDocument], list[Any]]) -> list[Any]:
    """What is to be dispatched of changes that were held back before a page was drawn; Panel would drop the others.

    It takes the document to be encoded when the page is there. Here it may be encoded already, and sent.
    """
    held = list(document.callbacks._held_events or [])
    dispatched = drain(document)
    context: Any = document.session_context
    session = None if context is None else context.session
    if session is not None:
        with document.changing:
            for event in without_repetition(held):
                if isinstance(event, DocumentPatchedEvent) and not isinstance(event, MessageSentEvent):
                    session.patched(event)
    return dispatched


def _tell_of_edits(table: Any) -> None:
    """Let tables tell the application of each edit, whichever of its two messages is handled first.

    The browser sends an event, and then the value as a change of the data. Panel 1.10 keeps the event until it handles
    the value; if that was handled before, as happens when both arrive at once, the application would never hear of it.
    """
    if not hasattr(table, "_fire_pending_edits"):  # before Panel 1.10
        return
    process = table._process_event

    def process_event(self: Any, event: Any) -> None:
        process(self, event)
        if event.event_name == "table-edit":
            _tell_if_value_is_there(self, event)

    table._process_event = process_event


def _tell_if_value_is_there(table: Any, event: Any) -> None:
    import pandas as pd

    # Of this event only: rows that earlier ones were about may have gone.
    kept = next((place for place, events in table._pending_edits.items() if events[-1] is event), None)
    if kept is None:
        return
    column, index = kept
    # As series, NaN is equal to NaN.
    there, told = (
        pd.Series([value], dtype=object) for value in (table.value[column].iloc[event.row], event.value)
    )
    if there.equals(told):
        table._fire_pending_edits(column, [index])


def _leave_document(view: Any, session_context: Any) -> None:
    """Clean up after the view's part of the document that ends.

    Panel's own way relies on the document having been taken apart before its hooks run. Here it is whole until they
    have, and they may still read it.
    """
    document = session_context._document
    root = view._documents.pop(document, None)
    if root is not None:
        ref = root.ref["id"]
        view._cleanup(root)
        state._views.pop(ref, None)


def _location_from_request(cls: Any, request: Any) -> Any:
    location = cls()
    if request is not None:
        context = getattr(state.curdoc, "session_context", None)
        route = route_of(context) if context is not None and context.request is request else None
        with panel.util.edit_readonly(location):
            location.param.update(location_of(request, route))
    return location


def _user() -> str | None:
    """Who has logged in to this server, as a text, for that is what Panel's applications compare."""
    document = state.curdoc
    context = None if document is None else document.session_context
    user = getattr(context, "user", None)
    return None if user is None else str(user)


def _access_token() -> str | None:
    """The token that the login's provider has given for the user, which is valid now."""
    document = state.curdoc
    context: Any = None if document is None else document.session_context
    ask: Callable[[], str | None] | None = getattr(context, "access_token", None)
    return None if ask is None else ask()


def _unless_alone(of_all: Callable[[], Any], of_one: Callable[[], Any]) -> Any:
    """What Panel does with all sessions of the application, or with one that has a process of its own."""
    try:
        return of_all()
    except ApplicationError:
        return of_one()


def _unblock_expiration() -> None:
    _to_session(lambda session: session.unblock_expiration())


def _block_expiration() -> AbstractContextManager[None]:
    """Keep the current session alive; it may end again after the block, if this is used as one."""
    document = state.curdoc
    _to_session(lambda session: session.block_expiration(), document)

    @contextmanager
    def blocked() -> Iterator[None]:
        try:
            yield
        finally:
            _to_session(lambda session: session.unblock_expiration(), document)

    return blocked()


def _to_session(act: Callable[[Any], None], document: Any = None) -> None:
    """Do this to the document's session, or to the current one's; as soon as there is one, if it is being built."""
    document = document or state.curdoc
    context: Any = getattr(document, "session_context", None)
    if context is None:
        return
    if context.session is not None:
        act(context.session)
    else:
        document.add_next_tick_callback(lambda: act(context.session))
