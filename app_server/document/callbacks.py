"""Callbacks and changes of a document, from any thread: each is noted before the application's code is called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from types import CodeType
from typing import Any, Protocol, TypeAlias

import bokeh
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.serialization import SerializationError
from bokeh.document import Document
from bokeh.document import callbacks as bokeh_callbacks
from bokeh.document.callbacks import DocumentCallbackManager
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    RootAddedEvent,
    RootRemovedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.events import Event, ModelEvent
from bokeh.model import Model

from app_server import tested
from app_server.document.called import Around, InOrder, called_for_change, called_for_event
from app_server.document.current import is_current
from app_server.document.holds import Hold, Holds, without_repetition

DocumentEvent: TypeAlias = DocumentPatchedEvent
"""A change of a document that its clients are sent."""

_OF_ROOTS = RootAddedEvent | RootRemovedEvent


class UnsendableError(SerializationError):
    """A change that cannot be sent to the browser, and was not made therefore."""

    def __init__(self, event: DocumentPatchedEvent, reason: BaseException) -> None:
        super().__init__(f"{_refused(event)}, {reason}")


def _refused(event: DocumentPatchedEvent) -> str:
    model, attr = getattr(event, "model", None), getattr(event, "attr", None)
    if isinstance(model, Model) and attr:
        name = f" (name {model.name!r})" if model.name else ""
        return f"{type(model).__name__}.{attr}{name} was not changed: its new value cannot be sent to the browser"
    what = type(event).__name__.removesuffix("Event") + (f" of a {type(model).__name__}" if model is not None else "")
    return f"{what} was refused: it cannot be sent to the browser"


class Timing(Enum):
    """When a session callback runs."""

    NEXT_TICK = "next tick"
    TIMEOUT = "timeout"
    PERIODIC = "periodic"

    def __init__(self, words: str) -> None:
        self.kind = self.name.lower()
        """What such a callback is called where they are counted."""
        self.says = f"a {words} callback"


@dataclass(frozen=True, slots=True)
class SessionCallback:
    """A callback that an application asked for; `delay_ms` is the time-out or the period, 0 on the next tick.

    Calling `function` may return an awaitable. `locked` says that the document must not change meanwhile.
    """

    ident: str
    function: Callable[[], Any]
    timing: Timing
    delay_ms: float
    locked: bool


class DocumentListener(Protocol):
    """What a served document notifies of its changes and callbacks, from any thread; of changes under its lock."""

    def patched(self, event: DocumentPatchedEvent) -> None: ...

    def callback_added(self, callback: SessionCallback) -> None: ...

    def callback_removed(self, ident: str) -> None: ...


def as_session_callback(callback: Any) -> SessionCallback:
    """Our description of one of bokeh's callback objects, which differ by what delay they carry."""
    timing, delay_ms = Timing.NEXT_TICK, 0.0
    if hasattr(callback, "period"):
        timing, delay_ms = Timing.PERIODIC, callback.period
    elif hasattr(callback, "timeout"):
        timing, delay_ms = Timing.TIMEOUT, callback.timeout
    function = callback.callback
    return SessionCallback(callback.id, function, timing, delay_ms, locked=not getattr(function, "nolock", False))


def _code_around_callbacks() -> CodeType | None:
    """The code of the function that bokeh puts around each callback; None for a version that is not known."""
    if bokeh.__version__ not in tested.BOKEH:
        return None
    around: Any = bokeh_callbacks._wrap_with_curdoc(None, lambda: None)  # type: ignore[arg-type]
    return around.__code__  # type: ignore[no-any-return]


_MAKES_CURRENT = _code_around_callbacks()


def for_turns(callback: SessionCallback) -> SessionCallback:
    """The callback as it runs in a turn: without the function of bokeh's around it, which makes the document current.

    A turn has made it current already, unless the callback is unlocked.
    """
    function: Any = callback.function
    if _MAKES_CURRENT is None or not callback.locked or getattr(function, "__code__", None) is not _MAKES_CURRENT:
        return callback
    return replace(callback, function=function.__wrapped__)


class Callbacks(DocumentCallbackManager):
    """Notifies the listener of changes and callbacks, from any thread."""

    def __init__(self, document: Document, changing: threading.RLock) -> None:
        self._changing = changing
        self._listener: DocumentListener | None = None
        self._roots_changed: Callable[[], None] | None = None
        self._around: Around | None = None
        self.ended = False
        self.holds = Holds()
        super().__init__(document)
        self._session_destroyed_callbacks = InOrder()
        self._session_callbacks = InOrder()
        self.noted = 0
        """How many changes the listener was notified of, or were held back."""
        self.browser_ranges: dict[str, set[str]] = {}
        """The bounds of automatic ranges that a browser worked out: the properties of each model's id."""

    def listen(self, listener: DocumentListener) -> None:
        """Notify `listener` of everything from now on, and at once of the callbacks that were added before."""
        self._listener = listener
        for callback in self.session_callbacks:
            listener.callback_added(for_turns(as_session_callback(callback)))

    def next_ticks(self) -> list[SessionCallback]:
        """What is to be called as soon as the code that runs now has returned; the first that was added is first."""
        found = [as_session_callback(callback) for callback in self.session_callbacks]
        return [callback for callback in found if callback.timing is Timing.NEXT_TICK]

    def listen_to_roots(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever a root was added or removed."""
        self._roots_changed = changed

    def call_around(self, around: Around) -> None:
        """Call the application's callbacks of each change and event within the block that `around` returns for it."""
        self._around = around

    def end(self) -> None:
        """Forget all callbacks and the listener, and take no more callbacks."""
        self.ended = True
        self._listener = self._roots_changed = self._around = None
        self.destroy()
        self._change_callbacks = {}
        self._event_callbacks = {}
        self._session_callbacks = set()
        self._subscribed_models.clear()

    # Bokeh, and Panel, keep the hold of a document in these two attributes.
    @property
    def _hold(self) -> Any:
        return self.holds.mine().policy

    @_hold.setter
    def _hold(self, policy: Any) -> None:
        with self._changing:
            self.holds.set(policy)

    @property
    def _held_events(self) -> list[Any]:
        return self.holds.mine().events

    @_held_events.setter
    def _held_events(self, events: list[Any]) -> None:
        self.holds.mine().put(events)

    def keep_for_hold(self, descriptor: PropertyDescriptor[Any], obj: HasProps, old: Any) -> None:
        """Remember the value before a change that is held back, for the case that it cannot be sent afterwards."""
        if (mine := self.holds.mine()).policy is not None:
            mine.before.setdefault((id(obj), descriptor.name), (descriptor, obj, old))

    def unhold(self) -> None:
        """Send what was held back; one change that cannot be sent stops no other."""
        with self._changing:
            ended = self.holds.take()
        failure: UnsendableError | None = None
        for hold in ended:
            for event in without_repetition(hold.events):
                try:
                    self.trigger_on_change(event)
                except UnsendableError as error:
                    failure = failure or error
                    self._put_back(hold, event)
        if failure is not None:
            raise failure

    def _put_back(self, hold: Hold, event: Any) -> None:
        if type(event) is ModelChangedEvent and (id(event.model), event.attr) in hold.before:
            descriptor, obj, old = hold.before[id(event.model), event.attr]
            with self._changing:
                descriptor._set_value(obj, descriptor.property.prepare_value(obj, descriptor.name, old))

    def trigger_on_change(self, event: DocumentChangedEvent) -> None:
        if isinstance(event, SessionCallbackAdded):
            self._added(event.callback)
        elif isinstance(event, SessionCallbackRemoved):
            if self._listener is not None:
                self._listener.callback_removed(event.callback.id)
        else:
            with self._changing:
                self.announce(event)

    def announce(self, event: DocumentChangedEvent) -> None:
        """Note a change, and call the application's callbacks for it; the caller holds the document's lock."""
        changed = event if type(event) is ModelChangedEvent else None  # most are
        if self.browser_ranges and changed is not None and changed.setter is None:
            self.browser_ranges.get(changed.model.id, set()).discard(changed.attr)
        if self.holds.any and self.hold_value is not None:
            super().trigger_on_change(event)
            self.noted += 1
            return
        # Noted before the application's callbacks run: what they change comes after it, as it did in Python, and
        # may name the models that came with it.
        if self._listener is not None and isinstance(event, DocumentPatchedEvent):
            self._listener.patched(event)
        if changed is None and self._roots_changed is not None and isinstance(event, _OF_ROOTS):
            self._roots_changed()
        self.noted += 1
        if not self._change_callbacks and (
            event.callback_invoker is None or (changed is not None and not changed.model._callbacks.get(changed.attr))
        ):
            return  # no callback to call
        # The callbacks may wait for another thread that wants to change the document too.
        held = self._changing._release_save()  # type: ignore[attr-defined]
        try:
            if self._around is None or (called := called_for_change(event, self.change_callbacks())) is None:
                self._call_back(event)
            else:
                with self._around(called):
                    self._call_back(event)
        finally:
            self._changing._acquire_restore(held)  # type: ignore[attr-defined]

    def _call_back(self, event: DocumentChangedEvent) -> None:
        document = self._document()
        if document is None or not is_current(document):
            super().trigger_on_change(event)
            return
        # The document is the current one already: bokeh's bookkeeping around each call is not needed.
        if event.callback_invoker is not None:
            event.callback_invoker()
        for callback in self.change_callbacks():
            callback(event)

    def trigger_event(self, event: Event) -> None:
        """Call what the application has registered for this event, on its model and on the document.

        Bokeh asks the models that had a callback for such events when they were added to the document, and so never
        calls one that was registered later.
        """
        if self._around is None or (called := called_for_event(event, self._of_document(event))) is None:
            self._call_for_event(event)
        else:
            with self._around(called):
                self._call_for_event(event)

    def _of_document(self, event: Event) -> Iterable[Callable[..., Any]]:
        return self.event_callbacks_for_event_name(event.event_name)

    def _call_for_event(self, event: Event) -> None:
        if isinstance(event, ModelEvent) and event.model is not None:
            event.model._trigger_event(event)
        for callback in self._of_document(event):
            callback(event)

    def _added(self, callback: Any) -> None:
        if self._listener is not None:
            self._listener.callback_added(for_turns(as_session_callback(callback)))

    def add_session_callback(self, callback_obj: Any, callback: Any, one_shot: bool) -> Any:
        if self.ended:
            raise RuntimeError("The session of this document has ended; stop the thread or task that adds callbacks")
        return super().add_session_callback(callback_obj, callback, one_shot)
