"""A Python program's copy of a document that lives in a session on a server.

What the program changes becomes a PATCH-DOC at once; what the server sends is applied event by event. The document may
be any document of bokeh's: the program has made it, so it has none of what `served.ServedDocument` adds.
"""

from __future__ import annotations

import logging
import secrets
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import bokeh
import bokeh.util.serialization as bokeh_ids
from bokeh.core.has_props import is_DataModel
from bokeh.core.serialization import Buffer as BokehBuffer
from bokeh.core.serialization import DeserializationError, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.events import (
    DocumentChangedEvent,
    DocumentPatchedEvent,
    MessageSentEvent,
    ModelChangedEvent,
    SessionCallbackAdded,
    SessionCallbackRemoved,
)
from bokeh.model import Model
from bokeh.resources import DEFAULT_SERVER_HTTP_URL
from bokeh.util.browser import view

from app_server.document.callbacks import SessionCallback, as_session_callback
from app_server.document.encoding import foreign
from app_server.document.encoding.decoder import Decoder
from app_server.document.encoding.encoder import Encoder
from app_server.document.encoding.foreign import EVENTS, carry_out
from app_server.errors import PeerError
from app_server.protocol.codec import Buffer, dumps

log = logging.getLogger(__name__)

_MALFORMED = (ValueError, TypeError, KeyError, LookupError, AttributeError, zlib.error, RecursionError, AssertionError)
_UNKNOWN_MODELS = "Import the modules that define the application's own models before you pull its document."
_FIRST_OWN_NUMBER = 10**9  # higher than any process gets
_LAST_OWN_NUMBER = 10**15
_MAX_UNPACKED_BYTES = 160 * 1024 * 1024


MirroredDocument: TypeAlias = Document
"""Any document of bokeh's."""


class MirrorListener(Protocol):
    """What is notified of what the program does to its copy. The two callback methods are called from any thread."""

    def changed(self, content: bytes, buffers: Sequence[Buffer]) -> None: ...

    def callback_added(self, callback: SessionCallback) -> None: ...

    def callback_removed(self, ident: str) -> None: ...


class Mirror:
    """A document, and what keeps it equal to the one on the server; for one thread at a time.

    `max_bytes` bounds what the arrays of one message may unpack to: a server is trusted no more than a client.
    """

    def __init__(self, document: Document, listener: MirrorListener, max_bytes: int = _MAX_UNPACKED_BYTES) -> None:
        foreign.install()
        self.document = document
        self._max_bytes = max_bytes
        self._listener = listener
        self._listening = False
        self._replacing = False

    def listen(self) -> None:
        """Notify the listener of changes from now on, and at once of the callbacks that were added before."""
        if self._listening:
            return
        self._listening = True
        self.document.on_change(self._noticed)
        for callback in self.document.session_callbacks:
            self._listener.callback_added(as_session_callback(callback))

    def stop_listening(self) -> None:
        """Leave the document to itself; it stays as it is."""
        if self._listening:
            self._listening = False
            self.document.remove_on_change(self._noticed)

    def _noticed(self, event: DocumentChangedEvent) -> None:
        if isinstance(event, SessionCallbackAdded):
            self._listener.callback_added(as_session_callback(event.callback))
        elif isinstance(event, SessionCallbackRemoved):
            self._listener.callback_removed(event.callback.id)
        elif isinstance(event, DocumentPatchedEvent) and not self._is_known(event.setter):
            self._listener.changed(*self._encode(event))

    def _is_known(self, setter: object) -> bool:
        """Whether it is the server that has made a change."""
        return setter is self or self._replacing

    def _encode(self, event: DocumentPatchedEvent) -> tuple[bytes, list[Buffer]]:
        models = self.document.models
        encoder = Encoder(clients_have=self._server_has)
        content = dumps({"events": [encoder.encode(event)]})
        if models._new_models:
            models.flush_synced(lambda model: not encoder.has_ref(model))
        return content, encoder.binary

    def _server_has(self, model: Model) -> bool:
        models = self.document.models
        return model not in models._new_models and models.get_by_id(model.id) is model

    def set(self, model: Model, values: Mapping[str, Any]) -> tuple[bytes, list[Buffer]]:
        """Set properties as a page does, those too that only pages set; the PATCH-DOC content and buffers of it.

        The values are those that BokehJS would send. ValueError if a property does not take its value.
        """
        encoder = Encoder(clients_have=self._server_has)
        events = []
        for name, value in values.items():
            foreign.set_foreign(model, name, value, self)
            events.append(encoder.encode(ModelChangedEvent(self.document, model, name, value, self)))  # type: ignore[arg-type]
        return dumps({"events": events}), encoder.binary

    def event(self, name: str, values: Mapping[str, Any]) -> tuple[bytes, list[Buffer]]:
        """The PATCH-DOC content and buffers of an event as BokehJS sends it, such as "tap"; its model is in `values`.

        Bokeh's own events leave out most of their values when they are encoded in Python.
        """
        encoder = Encoder(clients_have=self._server_has)
        data = {"type": "event", "name": name, "values": encoder.encode(dict(values))}
        return dumps({"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}]}), encoder.binary

    def message(self, msg_type: str, msg_data: Any) -> tuple[bytes, list[Buffer]]:
        """The PATCH-DOC content and buffers of a message of the program's own, for the document's `on_message`."""
        return self._encode(MessageSentEvent(self.document, msg_type, msg_data))

    def whole(self) -> tuple[bytes, list[Buffer]]:
        """The whole document as the JSON of `{"doc": …}` and its buffers; the server then has all its models."""
        encoder = Encoder()
        definitions = [kind for kind in Model.model_class_reverse_map.values() if is_DataModel(kind)]
        content: dict[str, Any] = {
            "version": bokeh.__version__,
            "title": self.document.title,
            "config": encoder.encode(self.document.config),
            "roots": encoder.encode(self.document.roots),
        }
        if definitions:
            content["defs"] = encoder.encode(definitions)
        if self.document.callbacks.js_event_callbacks:
            content["callbacks"] = encoder.encode(self.document.callbacks.js_event_callbacks)
        self.document.models.flush_synced()
        return dumps({"doc": content}), encoder.binary

    def replace(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        """Take over the document of a PULL-DOC-REPLY; PeerError if it is malformed or has unknown models."""
        try:
            fields = content["doc"]
            named = {name: fields[name] for name in ("title", "config", "roots") if name in fields}
            read = Decoder(Document(), self, self._max_bytes, any_ids=True).decode(named, _stored(buffers))
            title, roots, config = str(read["title"]), list(read["roots"]), read.get("config")
            if not all(isinstance(root, Model) for root in roots):
                raise ValueError("a root is not a model")
        except _MALFORMED as error:
            raise _undecodable("the document", error) from error
        models = self.document.models
        self._replacing = True
        # Frozen: the models are looked for once, and not again for every root.
        models._push_freeze()
        try:
            self.document.clear()
            for root in roots:
                self.document.add_root(root)
            self.document.title = title
            if isinstance(config, Model):
                self.document._config = config  # type: ignore[assignment]
        finally:
            models._pop_freeze()
            self._replacing = False
        models.flush_synced()

    def apply(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        """Carry out the events of a PATCH-DOC in order.

        What a callback of the program's raises comes through when all events are carried out; of several exceptions
        the first, the others are logged. PeerError if the content is malformed.
        """
        events = content.get("events")
        if not isinstance(events, list):
            raise PeerError("a PATCH-DOC lacks its events")
        decoder, stored = Decoder(self.document, self, self._max_bytes, any_ids=True), _stored(buffers)
        failure: Exception | None = None
        for rep in events:
            # Each event is decoded against what the one before has left, as it was encoded.
            event = self._decode(decoder, rep, stored)
            if event is None:
                continue
            try:
                carry_out(self.document, event)
            except Exception as error:
                if failure is not None:
                    log.exception("a callback raised an exception")
                failure = failure or error
        if self.document.models._new_models:
            self.document.models.flush_synced(lambda model: not decoder.has_ref(model))
        if failure is not None:
            raise failure

    def _decode(self, decoder: Decoder, rep: Any, stored: list[BokehBuffer]) -> DocumentPatchedEvent | None:
        try:
            fields = decoder.decode(rep, stored)
            kind = EVENTS[fields.pop("kind")]
            event: DocumentPatchedEvent = kind(document=self.document, setter=self, **fields)
            return event
        except UnknownReferenceError as error:
            if not self.document.models.seen(error.id):  # or the program has removed it while the server changed it
                # The stock server writes a new model out for only one of its clients, and names it to the others.
                log.warning(
                    "left out a change that names the model %.40r, which the server has not sent; pull() brings it",
                    str(error.id),
                )
            return None
        except _MALFORMED as error:
            raise _undecodable("a PATCH-DOC", error) from error


def _stored(buffers: Sequence[Buffer]) -> list[BokehBuffer]:
    return [BokehBuffer(ID(ident), payload) for ident, payload in buffers]


def _undecodable(what: str, error: BaseException) -> PeerError:
    unknown = isinstance(error, DeserializationError) and "resolve type" in str(error)
    return PeerError(f"{what} cannot be decoded: {str(error)[:200]}", hint=_UNKNOWN_MODELS if unknown else None)


def empty_document() -> Document:
    """A document to pull into."""
    return Document()


def number_models_apart() -> None:
    """Let the models that this process makes from now on have ids that no other process gives. Idempotent.

    Bokeh numbers models from p1000 in every process. A model that a program adds to a document which it has pulled
    would get the id of one of the stock server's.
    """
    with bokeh_ids._simple_id_lock:
        if bokeh_ids._simple_id < _FIRST_OWN_NUMBER:
            bokeh_ids._simple_id = _FIRST_OWN_NUMBER + secrets.randbelow(_LAST_OWN_NUMBER)


def default_server_url() -> str:
    """Where bokeh looks for a server by default."""
    return DEFAULT_SERVER_HTTP_URL


def open_in_browser(url: str, browser: str | None, new: str) -> None:
    """Show this address in a browser; `new` is "tab", "window" or "same". BOKEH_BROWSER may name the browser."""
    view(url, browser=browser, new=new)  # type: ignore[arg-type]
