"""Encodes the changes of one turn as the JSON of a PATCH-DOC, or of several, each when it happens."""

from __future__ import annotations

from math import isfinite
from typing import Any

from bokeh.document.events import ColumnDataChangedEvent, DocumentPatchedEvent, ModelChangedEvent
from bokeh.model import Model

from app_server.document.callbacks import UnsendableError
from app_server.document.encoding.encoder import AS_IS, MAX_SAFE_INT, Encoder
from app_server.document.served import ServedDocument
from app_server.protocol.codec import Buffer, dumps


def _is_safe_number(value: Any) -> bool:
    """Whether this is a number that JSON has."""
    kind = type(value)
    return isfinite(value) if kind is float else kind is int and -MAX_SAFE_INT < value < MAX_SAFE_INT


_PLAIN_BYTES = 100
"""What a plain change takes as JSON without its text, or a little less."""


class PatchEncoder:
    """The events of one turn, each encoded when it happened, for all connections of a session.

    An event that was encoded later would carry later data: a stream would be merged into the data and sent again.
    """

    def __init__(self, document: ServedDocument) -> None:
        self._document = document
        self._made: Encoder | None = None
        self._events: list[tuple[object, bytes | dict[str, Any]]] = []
        """What each event is: JSON, or what is sure to become JSON at the end, which is quicker for all of them."""
        self._properties: list[tuple[str, str]] = []
        """What the events set that are JSON and only set a property: the model's id and the property's name."""
        self._filled: set[tuple[str, str]] = set()
        """The properties, by model id and name, that the last message sets to a value with models."""
        self._breaks: list[tuple[int, int]] = []
        """Where a further message begins: the numbers of events and buffers before it."""
        self._has_models = False
        self.setters: set[int] = set()
        """By identity what has set one of the events: a connection must not get its own back."""

    def __bool__(self) -> bool:
        return bool(self._events)

    def add(self, event: DocumentPatchedEvent) -> None:
        """Encode this event now; UnsendableError if that is impossible, which leaves no trace in what is sent."""
        if self._filled and type(event) is ModelChangedEvent and (event.model.id, event.attr) in self._filled:
            # BokehJS is still making the views of those models. Another change now would have it make them twice, and
            # the first ones would stay without their document. When the next message comes, it has finished.
            self._breaks.append((len(self._events), len(self._encoder().binary)))
            self._filled.clear()
        if type(event) is ModelChangedEvent and (type(event.new) in AS_IS or _is_safe_number(event.new)):
            change = {"kind": "ModelChanged", "model": {"id": event.model.id}, "attr": event.attr, "new": event.new}
            self._events.append((event.setter, change))
        else:
            self._add_encoded(event)
        if event.setter is not None:
            self.setters.add(id(event.setter))

    def _add_encoded(self, event: DocumentPatchedEvent) -> None:
        """Add an event as JSON, and what it fills with models."""
        encoder = self._encoder()
        mark = encoder.mark()
        try:
            encoded = dumps(_encoded(encoder, event))
        except BaseException as error:
            encoder.rewind(mark)
            if isinstance(error, Exception):
                raise UnsendableError(event, error) from error
            raise
        self._events.append((event.setter, encoded))
        if type(event) is ModelChangedEvent or (type(event) is ColumnDataChangedEvent and event.cols is None):
            self._properties.append((event.model.id, event.attr))
            if type(event) is ModelChangedEvent and _names_models(encoded):
                self._has_models = True
                self._filled.add((event.model.id, event.attr))

    @property
    def size(self) -> int:
        """About how many bytes the events take."""
        size = 0
        for _, event in self._events:
            if isinstance(event, bytes):
                size += len(event)
            else:
                size += _PLAIN_BYTES + (len(event["new"]) if isinstance(event["new"], str) else 0)
        return size + (sum(len(payload) for _, payload in self._made.binary) if self._made is not None else 0)

    @property
    def holds_secrets(self) -> bool:
        """Whether a model is among the events that keeps what people type to itself, such as a password input."""
        return self._made is not None and self._made.holds_secrets

    def _encoder(self) -> Encoder:
        """The encoder of all events but the plainest: most turns need none."""
        if self._made is None:
            self._made = Encoder(clients_have=self._document.models.clients_have)
        return self._made

    def content(self, *, without: object = None) -> tuple[bytes, list[Buffer]] | None:
        """The content and buffers of one PATCH-DOC with all events but those that `without` set itself."""
        events = [encoded for setter, encoded in self._events if without is None or setter is not without]
        if not events:
            return None
        if self._made is None:
            return dumps({"events": events}), []
        return _joined(events), self._made.binary

    def contents(self, *, without: object = None) -> list[tuple[bytes, list[Buffer]]]:
        """The contents and buffers of the messages for a connection, leaving out what it set itself: mostly one."""
        buffers = [] if self._made is None else self._made.binary
        found, event, buffer = [], 0, 0
        for next_event, next_buffer in [*self._breaks, (len(self._events), len(buffers))]:
            events = [encoded for setter, encoded in self._events[event:next_event]
                      if without is None or setter is not without]  # fmt: skip
            if events:
                content = dumps({"events": events}) if self._made is None else _joined(events)
                found.append((content, buffers[buffer:next_buffer]))
            event, buffer = next_event, next_buffer
        return found

    def plain_events(self) -> list[dict[str, Any]] | None:
        """The events, if each only sets a property of a model to a text, a number, a boolean or None."""
        plain = [event for _, event in self._events if not isinstance(event, bytes)]
        return plain if len(plain) == len(self._events) else None

    def values_set(self) -> frozenset[tuple[str, str]] | None:
        """The properties, by model id and name, that the events set to values without models; None if they do more."""
        plain = [event for _, event in self._events if not isinstance(event, bytes)]
        if self._has_models or len(self._properties) + len(plain) != len(self._events):
            return None
        return frozenset(self._properties).union((event["model"]["id"], event["attr"]) for event in plain)

    def close(self) -> None:
        """Take note that the clients get every model that was encoded."""
        if self._made is not None:
            self._document.models.clients_got(self._made.has_ref)


def _joined(events: list[bytes | dict[str, Any]]) -> bytes:
    written = [event if isinstance(event, bytes) else dumps(event) for event in events]
    return b'{"events":[' + b",".join(written) + b"]}"


def _names_models(event: bytes) -> bool:
    """Whether this change of a property has a model in its value: beside its own model, only its buffers have ids."""
    return event.count(b'"id":') > 1 + event.count(b'{"type":"bytes","data":{"id":')


def _encoded(encoder: Encoder, event: DocumentPatchedEvent) -> Any:
    """As bokeh does it; the two kinds of events that most changes are take a shorter way."""
    if type(event) is ModelChangedEvent:
        new = encoder.encode(event.new)
        return {"kind": event.kind, "model": {"id": event.model.id}, "attr": event.attr, "new": new}
    if type(event) is ColumnDataChangedEvent and event.cols is None:
        data = encoder.encode(getattr(event.model, event.attr) if event.data is None else event.data)
        return {"kind": event.kind, "model": {"id": event.model.id}, "attr": event.attr, "data": data, "cols": None}
    return encoder.encode(event)


def check(value: Any, model: Model, attr: str) -> None:
    """Raise UnsendableError if this value, with which a property is about to be changed, cannot be sent."""
    try:
        dumps(Encoder(copy=False).encode(value))
    except Exception as error:
        raise UnsendableError(ModelChangedEvent(model.document, model, attr, None), error) from error  # type: ignore[arg-type]
