"""The document that the server hands to an application: a `bokeh.document.Document` that can be served well.

Three of its parts differ from the stock ones, behind the same interface: callbacks may be added from any thread
(`document.callbacks`), the document knows cheaply which models the clients have (`document.models`), and its end breaks
the cycles among its objects instead of searching the process for them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from bokeh.document import Document
from bokeh.document.locking import UnlockedDocumentProxy
from bokeh.events import ConnectionLost
from bokeh.model import Model

from app_server.document import classes
from app_server.document.callbacks import Callbacks, DocumentListener
from app_server.document.current import AtWork
from app_server.document.ids import ModelIds
from app_server.document.models import Models
from app_server.document.modules import Modules


class ServedDocument(Document):
    """A document in a session of ours."""

    callbacks: Callbacks
    models: Models
    modules: Modules
    _outlived = False
    _probed_context: object | None = None

    def __init__(self, ids: ModelIds) -> None:
        super().__init__()
        self.ids = ids
        self._reference: weakref.ref[Document] = weakref.ref(self)
        self.changing = threading.RLock()
        """Held while the document changes and the change is noted; released while the application's code is called."""
        self.callbacks = Callbacks(self, self.changing)
        self.models = Models(self)
        self.modules = Modules(self)

    @property
    def ended(self) -> bool:
        """Whether the document was taken apart."""
        return self.callbacks.ended

    def attach_context(self, context: object) -> None:
        """Let `session_context` return this object for as long as something else keeps it."""
        self._session_context = weakref.ref(context)  # type: ignore[arg-type]
        self._probed_context = None

    def probe_context(self, context: object, asked: Callable[[], None]) -> None:
        """Let `session_context` return this object, and call `asked` at each look at it."""

        def look() -> object:
            asked()
            return context

        self._session_context = look  # type: ignore[assignment]
        self._probed_context = context

    def context_for_log(self) -> object | None:
        """What `session_context` returns; the callback of `probe_context` is not called."""
        return self.session_context if self._probed_context is None else self._probed_context

    def listen(self, listener: DocumentListener) -> None:
        """Notify `listener` of everything from now on, and at once of the callbacks that were added before."""
        self.callbacks.listen(listener)

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
        """Remove a root, in one step with its event."""
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

    def take_roots(self, roots: Sequence[Model], title: str) -> None:
        """Have these roots and this title from now on, without an event."""
        with self.changing:
            self._roots = list(roots)
            self._title = title
            self.models.recompute()

    def listen_to_roots(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever a root was added or removed, after the listener was notified."""
        self.callbacks.listen_to_roots(changed)

    def leave_to_the_system(self) -> None:
        """Spare the work of `destroy`: the process ends with the document."""
        self._outlived = True

    def destroy(self, session: Any = None) -> None:
        """Break the cycles among the document's objects, which frees their memory at once."""
        if self._outlived:
            return
        with self.changing:
            self._take_apart()

    def _take_apart(self) -> None:
        self.callbacks.end()
        self._roots = []
        self._template_variables = {}
        self._session_context = None
        own_classes = self.own_classes()
        self.models.destroy()
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

    def at_work(self) -> AtWork:
        """A block in which this is the current document and new models get this session's ids."""
        return AtWork(self._reference, self.ids)

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


def new_document(session_id: str) -> ServedDocument:
    """An empty document whose models are numbered after the session's id."""
    return ServedDocument(ModelIds(session_id))


def root_ids(document: Document) -> list[str]:
    """The ids of the document's roots, in order."""
    return [str(root.id) for root in document.roots]
