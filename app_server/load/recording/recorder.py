"""Writes down what a browser does, from the messages of its connection, without what is secret."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from app_server.load.outline import Outline
from app_server.load.recording.format import Recording, Said
from app_server.load.recording.structure import Unknown, with_places
from app_server.load.wire import CLOSE, FrameReader, MessageReader

log = logging.getLogger(__name__)

MOST_MESSAGES: Final = 20_000
MOST_BYTES: Final = 8 * 1024 * 1024
"""Hours of someone who moves sliders all the time."""

LARGEST_MESSAGE: Final = 64 * 1024
"""A larger one is data rather than what a hand does."""

_PASSWORDS: Final = "PasswordInput"
_FILES: Final = "FileInput"
_RECORDED: Final = frozenset({"ModelChanged", "MessageSent", "TitleChanged"})


class Recorder:
    """The recording of one connection; `clock` tells seconds."""

    def __init__(self, application: str, clock: Callable[[], float]) -> None:
        self._application = application
        self._clock = clock
        self._began_s = clock()
        self._frames = FrameReader()
        self._reader = MessageReader()
        self._outline: Outline | None = None
        self._messages: list[Said] = []
        self._bytes = 0
        self._left_out = 0
        self._truncated = False

    def sent(self, chunks: Iterable[bytes | memoryview]) -> None:
        """The server has sent these frames."""
        for opcode, payload in self._frames.feed(b"".join(chunks)):
            if opcode < CLOSE and (message := self._reader.feed(payload, 0.0)) is not None:
                if message.kind == "PULL-DOC-REPLY":
                    self._pulled(orjson.loads(message.content)["doc"])
                elif message.kind == "PATCH-DOC" and self._outline is not None:
                    self._outline.apply(orjson.loads(message.content)["events"])

    def _pulled(self, document: Mapping[str, Any]) -> None:
        if self._outline is None:
            self._began_s = self._clock()
        self._outline = Outline(document)

    def received(self, events: Sequence[Mapping[str, Any]], *, has_buffers: bool) -> None:
        """The browser has sent a patch with these events."""
        if self._outline is None or self._truncated:
            return
        said = [] if has_buffers else self._public(events)
        size = len(orjson.dumps(said))
        if not said or size > LARGEST_MESSAGE:
            self._left_out += 1
        elif len(self._messages) >= MOST_MESSAGES or self._bytes + size > MOST_BYTES:
            self._truncated = True
        else:
            self._bytes += size
            self._messages.append(Said(round(self._clock() - self._began_s, 3), tuple(said)))
        self._outline.apply(events)

    def _public(self, events: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The events by structure; none if one of them cannot be played in another session."""
        assert self._outline is not None
        try:
            return [
                with_places(_without_secrets(event, self._kind_of(event)), self._outline.places())
                for event in events
                if event.get("kind") in _RECORDED and not self._kind_of(event).endswith(_FILES)
            ]
        except Unknown:
            return []

    def _kind_of(self, event: Mapping[str, Any]) -> str:
        ident = _ident_in(event)
        model = None if self._outline is None else self._outline.get(ident)
        return "" if model is None else model.kind

    def finish(self) -> Recording | None:
        """The recording; None if nothing was done."""
        if not self._messages:
            return None
        seconds = round(self._clock() - self._began_s, 3)
        return Recording(self._application, seconds, tuple(self._messages), self._left_out, self._truncated)


def _ident_in(event: Mapping[str, Any]) -> str:
    """The id of the model that has changed, or that says that something has happened to it; "" for none."""
    reference = event.get("model") or dict(_named_values(event)).get("model")
    return str(reference.get("id", "")) if isinstance(reference, Mapping) else ""


def _named_values(event: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What a message says of something that has happened, such as Enter in a field of text. Unknown if that is odd."""
    if event.get("kind") != "MessageSent" or event.get("msg_type") != "bokeh_event":
        return []
    try:
        return [(str(name), value) for name, value in event["msg_data"]["values"]["entries"]]
    except (LookupError, TypeError, ValueError):
        raise Unknown("the values of an event") from None


def _without_secrets(event: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The event; of a password only its length."""
    if not kind.endswith(_PASSWORDS):
        return event
    if event.get("kind") != "MessageSent":
        return {**event, "new": _hidden(event.get("new"))}
    entries = [[name, _hidden(value)] for name, value in _named_values(event)]
    data = event["msg_data"]
    return {**event, "msg_data": {**data, "values": {**data["values"], "entries": entries}}}


def _hidden(value: Any) -> Any:
    return "x" * len(value) if isinstance(value, str) else value
