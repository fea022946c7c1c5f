"""The document that the server hands to an application: a `bokeh.document.Document` that can be served well.

Three of its parts differ from the stock ones, behind the same interface: callbacks may be added from any thread, the
document knows cheaply which models the clients have, and its end breaks the cycles among its objects instead of
searching the process for them.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any, Protocol, TypeAlias

from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.serialization import SerializationError
from bokeh.core.types import ID
from bokeh.document import Document
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
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.document.models import DocumentModelManager
from bokeh.document.modules import DocumentModuleManager
from bokeh.events import ConnectionLost, Event, ModelEvent
from bokeh.model import Model
from bokeh.util.dataclasses import entries, is_dataclass
from bokeh.util.datatypes import MultiValuedDict

from app_server.document import classes
from app_server.document.current import current_document, is_current
from app_server.document.holds import Hold, Holds, without_repetition
from app_server.document.ids import ModelIds, current_ids

DocumentEvent: TypeAlias = DocumentPatchedEvent
"""A change of a document that its clients are told of."""


class UnsendableError(SerializationError):
    """A change that cannot be sent to the browser, and was not made therefore."""

    def __init__(self, event: DocumentPatchedEvent, reason: BaseException) -> None:
        super().__init__(f"{_refused(event)}, {reason}")


def _refused(event: DocumentPatchedEvent) -> str:
    model, attr = getattr(event, "model", None), getattr(event, "attr", None)
    if isinstance(model, Model) and attr:
        name = f" (name {model.name!r})" if model.name else ""
        return f"{type(model).__name__}.{attr}{name} was not changed: the browser cannot be sent its new value"
    what = type(event).__name__.removesuffix("Event") + (f" of a {type(model).__name__}" if model is not None else "")
    return f"{what} was refused: the browser cannot be sent it"


class Timing(Enum):
    """When a session callback runs."""

    NEXT_TICK = "next tick"
    TIMEOUT = "timeout"
    PERIODIC = "periodic"


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
    """Who is told what happens to a served document. The two callback methods are called from any thread."""

    def patched(self, event: DocumentPatchedEvent) -> None: ...

    def callback_added(self, callback: SessionCallback) -> None: ...

    def callback_removed(self, ident: str) -> None: ...


class _InOrder(set[Any]):
    """A set whose items come in the order in which they were added; bokeh keeps hooks in a set."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[Any] = []

    def add(self, item: Any) -> None:
        if item not in self:
            self._order.append(item)
        super().add(item)

    def __iter__(self) -> Iterator[Any]:
        return iter([item for item in self._order if item in self])


class _RootsListener:
    """Tells somebody that roots have come or gone, and somebody else everything."""

    def __init__(self, listener: DocumentListener, changed: Callable[[], None]) -> None:
        self.callback_added = listener.callback_added
        self.callback_removed = listener.callback_removed
        self._patched = listener.patched
        self._changed = changed

    def patched(self, event: DocumentPatchedEvent) -> None:
        self._patched(event)
        if isinstance(event, RootAddedEvent | RootRemovedEvent):
            self._changed()


class _Callbacks(DocumentCallbackManager):
    """Tells the listener of patches and callbacks, from any thread."""

    listener: DocumentListener | None = None
    ended = False

    def __init__(self, document: ServedDocument, changing: threading.RLock) -> None:
        self._changing = changing
        self.holds = Holds()
        super().__init__(document)
        self._session_destroyed_callbacks = _InOrder()
        self.noted = 0
        """How many changes were told to the listener, or held back."""
        self.browser_ranges: set[tuple[str, str]] = set()
        """The bounds of automatic ranges that a browser worked out, as (model id, property)."""

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
        self.holds.mine().events = events

    def keep_for_hold(self, descriptor: PropertyDescriptor[Any], obj: HasProps, old: Any) -> None:
        """Remember the value before a change that is held back, for the case that it cannot be sent afterwards."""
        if (mine := self.holds.mine()).policy is not None:
            mine.before.setdefault((id(obj), descriptor.name), (descriptor, obj, old))

    def unhold(self) -> None:
        """Tell of what was held back; one change that cannot be sent keeps no other one from being sent."""
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
        changed = event if type(event) is ModelChangedEvent else None  # most are
        if changed is None:
            if isinstance(event, SessionCallbackAdded):
                self._added(event.callback)
                return
            if isinstance(event, SessionCallbackRemoved):
                if self.listener is not None:
                    self.listener.callback_removed(event.callback.id)
                return
        with self._changing:
            if self.browser_ranges and changed is not None and changed.setter is None:
                self.browser_ranges.discard((changed.model.id, changed.attr))
            if self.holds.any and self.hold_value is not None:
                super().trigger_on_change(event)
                self.noted += 1
                return
            # Told before the application's callbacks run: what they change in turn comes after it, as it did in Python,
            # and may name the models that came with it.
            if self.listener is not None and isinstance(event, DocumentPatchedEvent):
                self.listener.patched(event)
            self.noted += 1
            if changed is not None and not self._change_callbacks and not changed.model._callbacks.get(changed.attr):
                return  # there is no callback to call
            # The callbacks may wait for another thread that wants to change the document too.
            held = self._changing._release_save()  # type: ignore[attr-defined]
            try:
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
        if isinstance(event, ModelEvent) and event.model is not None:
            event.model._trigger_event(event)
        for callback in self.event_callbacks_for_event_name(event.event_name):
            callback(event)

    def _added(self, callback: Any) -> None:
        if self.listener is not None:
            self.listener.callback_added(as_session_callback(callback))

    def add_session_callback(self, callback_obj: Any, callback: Any, one_shot: bool) -> Any:
        if self.ended:
            raise RuntimeError("The session of this document has ended; stop the thread or task that adds callbacks")
        return super().add_session_callback(callback_obj, callback, one_shot)


def as_session_callback(callback: Any) -> SessionCallback:
    """Our description of one of bokeh's callback objects, which differ by what delay they carry."""
    timing, delay_ms = Timing.NEXT_TICK, 0.0
    if hasattr(callback, "period"):
        timing, delay_ms = Timing.PERIODIC, callback.period
    elif hasattr(callback, "timeout"):
        timing, delay_ms = Timing.TIMEOUT, callback.timeout
    function = callback.callback
    return SessionCallback(callback.id, function, timing, delay_ms, locked=not getattr(function, "nolock", False))


class _Models(DocumentModelManager):
    """Says for each model whether the clients have it, without a set of all models for each patch."""

    looked_at = 0
    """How many models were looked at so far to find out which ones there are."""

    def clients_have(self, model: Model) -> bool:
        return model not in self._new_models and self._models.get(model.id) is model

    def clients_got(self, has_ref: Callable[[Model], bool]) -> None:
        if self._new_models:
            self.flush_synced(lambda model: not has_ref(model))

    def recompute(self) -> None:
        document = self._document()
        if document is None:
            return
        old, new = self._models, reachable(document.roots)
        self.looked_at += len(new)
        for model in new.values():
            if model.document is not None and model.document is not document:
                raise RuntimeError(f"{model!r} belongs to another document already: make one for each document")
        self._models = new
        self._models_by_name = MultiValuedDict()
        for model in new.values():
            if model.name is not None:
                self._models_by_name.add_value(model.name, model)
        for ident, model in old.items():
            if new.get(ident) is not model:
                self._seen_model_ids.add(ident)
                self._new_models.discard(model)
                model._detach_document()
        for ident, model in new.items():
            if old.get(ident) is not model:
                model._attach_document(document)
                self._new_models.add(model)

    def destroy(self) -> None:
        for model in self._models.values():
            model.destroy()
            vars(model).pop("_callbacks", None)
            vars(model).pop("_event_callbacks", None)
        self._models = {}
        self._new_models.clear()
        super().destroy()


_properties_with_refs: dict[type[HasProps], tuple[str, ...]] = classes.table()


def reachable(roots: Iterable[Model]) -> dict[ID, Model]:
    """The models that these refer to, directly or not, and themselves, by id.

    Only values that were set or made are looked at: a default that nobody asked for refers to no model.
    """
    found: dict[ID, Model] = {}
    waiting: list[Any] = list(roots)
    seen: dict[int, Any] = {}  # lists and dictionaries, for one may hold itself
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | dict):
            if id(value) in seen:
                continue
            seen[id(value)] = value
        if isinstance(value, HasProps):
            if isinstance(value, Model):
                if value.id in found:
                    continue
                found[value.id] = value
            waiting.extend(_values_with_refs(value))
        elif isinstance(value, list | tuple):
            waiting.extend(item for item in value if type(item) not in _NEVER_REFS)
        elif isinstance(value, dict):
            waiting.extend(item for item in value.keys() if type(item) not in _NEVER_REFS)
            waiting.extend(item for item in value.values() if type(item) not in _NEVER_REFS)
        elif is_dataclass(value):
            waiting.extend(item for _, item in entries(value))
    return found


_NEVER_REFS = frozenset({str, int, float, bool, type(None)})


def _values_with_refs(model: HasProps) -> Iterator[Any]:
    kind = type(model)
    names = _properties_with_refs.get(kind)
    if names is None:
        names = _properties_with_refs[kind] = tuple(kind.properties_with_refs())
    values, made = model._property_values, model._unstable_default_values
    themed = model.themed_values()
    for name in names:
        if name in values:
            value = values[name]
        elif themed is not None and name in themed:
            value = getattr(model, name)
        else:
            value = made.get(name)
        if type(value) not in _NEVER_REFS:
            yield value


class _Modules(DocumentModuleManager):
    """Forgets an application's modules, and the model classes in them, without asking who refers to them."""

    def names(self) -> frozenset[str]:
        """The names of the document's modules."""
        return frozenset(module.__name__ for module in self._modules)

    def add(self, module: ModuleType) -> None:
        super().add(module)
        classes.begin(module.__name__)

    def destroy(self) -> None:
        modules: list[ModuleType] = self._modules
        self._modules = []
        classes.end([module.__name__ for module in modules])
        for module in modules:
            sys.modules.pop(module.__name__, None)
            vars(module).clear()


class ServedDocument(Document):
    """A document in a session of ours."""

    callbacks: _Callbacks
    models: _Models
    modules: _Modules
    _outlived = False
    _probed_context: object | None = None

    def __init__(self, ids: ModelIds) -> None:
        super().__init__()
        self.ids = ids
        self.changing = threading.RLock()
        """Held while the document changes and the change is noted; released while the application's code is called."""
        self.callbacks = _Callbacks(self, self.changing)
        self.models = _Models(self)
        self.modules = _Modules(self)

    @property
    def ended(self) -> bool:
        """Whether the document was taken apart."""
        return self.callbacks.ended

    def attach_context(self, context: object) -> None:
        """Let `session_context` return this object for as long as somebody else keeps it."""
        self._session_context = weakref.ref(context)  # type: ignore[arg-type]
        self._probed_context = None

    def probe_context(self, context: object, asked: Callable[[], None]) -> None:
        """Let `session_context` return this object, and call `asked` whenever somebody wants it."""

        def look() -> object:
            asked()
            return context

        self._session_context = look  # type: ignore[assignment]
        self._probed_context = context

    def context_for_log(self) -> object | None:
        """What `session_context` returns; the callback of `probe_context` is not called."""
        return self.session_context if self._probed_context is None else self._probed_context

    def listen(self, listener: DocumentListener) -> None:
        """Tell `listener` of everything from now on, and at once of the callbacks that were added before."""
        self.callbacks.listener = listener
        for callback in self.session_callbacks:
            listener.callback_added(as_session_callback(callback))

    def add_root(self, model: Model, setter: Any = None) -> None:
        """Add a root; one that cannot be sent, or is another document's, is not added."""
        with self.changing:
            noted, known = self.callbacks.noted, model in self._roots
            try:
                super().add_root(model, setter)
            except BaseException:
                if self.callbacks.noted == noted and not known:
                    self._roots.remove(model)
                    self.models.invalidate()
                raise

    def remove_root(self, model: Model, setter: Any = None) -> None:
        """Remove a root, in one step with telling of it."""
        with self.changing:
            super().remove_root(model, setter)

    def set_title(self, title: str, setter: Any = None) -> None:
        """Set the title; one that cannot be sent is not set."""
        with self.changing:
            before, noted = self._title, self.callbacks.noted
            try:
                super().set_title(title, setter)
            except BaseException:
                if self.callbacks.noted == noted:
                    self._title = before
                raise

    def listen_to_roots(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever a root was added or removed; the document has its listener already."""
        assert self.callbacks.listener is not None
        self.callbacks.listener = _RootsListener(self.callbacks.listener, changed)

    def leave_to_the_system(self) -> None:
        """Spare the work of `destroy`: the process ends with the document."""
        self._outlived = True

    def destroy(self, session: Any = None) -> None:
        """Break the cycles among the document's objects, so that their memory is free at once."""
        if self._outlived:
            return
        with self.changing:
            self._take_apart()

    def _take_apart(self) -> None:
        self.callbacks.ended = True
        self.callbacks.listener = None
        self._roots = []
        self._template_variables = {}
        self._session_context = None
        self.callbacks.destroy()
        self.callbacks._change_callbacks = {}
        self.callbacks._event_callbacks = {}
        self.callbacks._session_callbacks = set()
        self.callbacks._subscribed_models.clear()
        own_classes = self.own_classes()
        self.models.destroy()
        self.models._models = {}
        classes.forget_replaced(own_classes)
        self.modules.destroy()

    def own_classes(self) -> set[type[Model]]:
        """The classes of the document's models that are none of bokeh's."""
        return {kind for kind in set(map(type, self.models)) if not kind.__module__.startswith("bokeh.")}

    def ending_callbacks(self) -> list[Callable[[Any], Any]]:
        """What the application wants to run at the session's end, each with the session's context."""
        return list(self.session_destroyed_callbacks)

    def notify_connection_lost(self) -> None:
        """Run the application's callbacks for a client that has gone."""
        self.callbacks.trigger_event(ConnectionLost())

    def at_work(self) -> _AtWork:
        """A block in which this is the current document and new models get this session's ids."""
        return _AtWork(self)

    def unlocked(self) -> UnlockedDocumentProxy:
        """What an unlocked callback sees as the current document."""
        return _Unlocked(self)


class _Unlocked(UnlockedDocumentProxy):
    """Refuses what bokeh's lets pass: an attribute that is set here would be lost without a word."""

    _doc: Document

    def __init__(self, document: Document) -> None:
        object.__setattr__(self, "_doc", document)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"An unlocked callback cannot set {name} of the document: other callbacks may be changing it."
            " Set it in a callback that you add with add_next_tick_callback."
        )


class _AtWork:
    """The context manager of `ServedDocument.at_work`; a class, because it is entered for every message."""

    __slots__ = ("_current", "_document", "_ids_token")

    def __init__(self, document: ServedDocument) -> None:
        self._document = document
        self._current = current_document(document)

    def __enter__(self) -> ServedDocument:
        self._current.__enter__()
        self._ids_token = current_ids.set(self._document.ids)
        return self._document

    def __exit__(self, *exception: object) -> None:
        current_ids.reset(self._ids_token)
        self._current.__exit__(None, None, None)


def new_document(session_id: str) -> ServedDocument:
    """An empty document whose models are numbered after the session's id."""
    return ServedDocument(ModelIds(session_id))


def root_ids(document: Document) -> list[str]:
    """The ids of the document's roots, in order."""
    return [str(root.id) for root in document.roots]


def find_model(document: Document, ident: str) -> Model | None:
    """The document's model of this id, if it has one."""
    return document.get_model_by_id(ID(ident))
