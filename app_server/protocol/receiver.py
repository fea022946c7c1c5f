"""Frames to messages: a table of states, bounded in what it keeps.

    HEADER -> METADATA -> CONTENT -> (done | BUFFER_ID)
    BUFFER_ID -> BUFFER -> (done | BUFFER_ID)

A frame that does not fit its state is the peer's error, and the connection cannot be trusted any more: it is closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Any, Final

import orjson

from app_server.errors import PeerError, TooLargeError
from app_server.protocol import codec, messages
from app_server.protocol.messages import Message
from app_server.protocol.websocket import BINARY, TEXT

MAX_HEADER_BYTES: Final = 64 * 1024
BYTES_FOR_A_CONTAINER: Final = 100
"""A message may have one list or object for this many bytes of its limit. Two bytes create one, which needs 60 bytes of
memory and microseconds: the 20 MiB of brackets that the default allows would block the loop for ten seconds."""

BYTES_FOR_A_VALUE: Final = 8
"""The same for values of all kinds. Numbers have more digits than that on average, or belong into an array."""

LEAST_CONTAINERS: Final = 10_000
LEAST_VALUES: Final = 100_000
"""What any message may have, however small its limit."""

_PIECE_BYTES = 256 * 1024

_ROOT_ADDED = re.compile(
    rb'\A\{"events":\[\{"kind":"RootAdded","model":\{"type":"object","name":"[^"]{1,512}","id":"([^"\\]{1,512})"'
)

RootTest = Callable[[str], bool]


class ReceiverState(Enum):
    """What the receiver waits for."""

    HEADER = "header"
    METADATA = "metadata"
    CONTENT = "content"
    BUFFER_ID = "buffer id"
    BUFFER = "buffer"


def announced_root(prefix: bytes | memoryview) -> str | None:
    """The id of the root that a PATCH-DOC content, of which these are the first bytes, adds as its first event."""
    found = _ROOT_ADDED.match(prefix)
    return None if found is None else found[1].decode("utf-8", "replace")


def check_structure(payload: bytes, max_message_bytes: int) -> None:
    """PeerError 1009 where a JSON text has more values than a message of at most so many bytes may hold.

    They are counted before they are made. Only a text with too many brackets or commas is looked at without its
    strings, for those may be full of them.
    """
    if len(payload) <= LEAST_CONTAINERS:  # each bracket and each comma is a byte
        return
    containers = _containers(max_message_bytes)
    values = max(LEAST_VALUES, max_message_bytes // BYTES_FOR_A_VALUE)
    if _fits(*_counted([payload]), containers, values):
        return
    bare = payload.replace(rb"\\", b"").replace(rb"\"", b"")
    # Each text is a value or the name of one: with more of them there are too many values already.
    if bare.count(b'"') > 4 * values or not _fits(*_counted(_without_texts(bare)), containers, values):
        what = f"a message has more than {containers} lists and objects, or more than {values} values"
        raise PeerError(f"{what}; send large data as arrays", close_code=1009)


def _fits(opened: int, commas: int, containers: int, values: int) -> bool:
    return opened <= containers and opened + commas <= values


def _counted(pieces: Iterable[bytes]) -> tuple[int, int]:
    """How many lists and objects are opened in the pieces, and how many commas they have."""
    opened = commas = 0
    for piece in pieces:
        opened += piece.count(b"[") + piece.count(b"{")
        commas += piece.count(b",")
    return opened, commas


def _without_texts(bare: bytes) -> Iterator[bytes]:
    """JSON whose texts have no escaped quotes, without these texts; a piece at a time, for the memory that it takes."""
    inside = 0
    for start in range(0, len(bare), _PIECE_BYTES):
        parts = bare[start : start + _PIECE_BYTES].split(b'"')
        yield b"".join(parts[inside::2])
        inside ^= (len(parts) - 1) & 1


def _containers(max_message_bytes: int) -> int:
    return max(LEAST_CONTAINERS, max_message_bytes // BYTES_FOR_A_CONTAINER)


class Receiver:
    """Assembles messages from frames; `max_message_bytes` bounds the payload of one message.

    `is_root` tells whether an id is one of the document's roots. After a reconnect BokehJS uploads every root
    that it has just pulled; such a message changes nothing, so it may be larger than the limit: it is dropped unread.
    `patience` is how many times more values and buffers than usual are accepted, by a loop that serves no one else.
    """

    def __init__(self, max_message_bytes: int, is_root: RootTest = lambda ident: False, *, patience: int = 1) -> None:
        self._max_message_bytes = max_message_bytes
        self._structure_bytes = patience * max_message_bytes
        self._is_root = is_root
        self._consumers = {
            ReceiverState.HEADER: self._header,
            ReceiverState.METADATA: self._metadata,
            ReceiverState.CONTENT: self._content,
            ReceiverState.BUFFER_ID: self._buffer_id,
            ReceiverState.BUFFER: self._buffer,
        }
        self._reset()

    def _reset(self) -> None:
        self.state = ReceiverState.HEADER
        self._fields: dict[str, Any] = {}
        self._body: Any = None
        self._buffers: list[tuple[str, bytes]] = []
        self._buffer_ident = ""
        self._remaining_buffers = 0
        self._received_bytes = 0
        self._discarding = False

    def feed(self, opcode: int, payload: bytes) -> Message | None:
        """The message that this frame completes, if it does; PeerError if it does not fit."""
        if opcode != (BINARY if self.state is ReceiverState.BUFFER else TEXT):
            raise PeerError(f"expected the {self.state.value} of a message, got another kind of frame")
        return self._consumers[self.state](payload)

    def may_discard(self, opcode: int, prefix: bytes) -> bool:
        """Whether a frame larger than the limit, which begins with `prefix`, can be dropped rather than refused."""
        if self._discarding:
            return True
        if self.state is not ReceiverState.CONTENT or opcode != TEXT or self._fields["msgtype"] != messages.PATCH_DOC:
            return False
        root = announced_root(prefix)
        return root is not None and self._is_root(root)

    def discard(self) -> Message | None:
        """Record that a frame was dropped as `may_discard` allowed; the message that it completes, if it does."""
        self._discarding = True
        if self.state is ReceiverState.CONTENT:
            self._body = {"events": []}
        return self._advance()

    def skip(self) -> bool:
        """Whether the message that is too large is dropped from now on: a patch, which then changes nothing."""
        skipped = self.state in (ReceiverState.CONTENT, ReceiverState.BUFFER)
        skipped = skipped and self._fields["msgtype"] == messages.PATCH_DOC
        if skipped:
            self._discarding, self._body, self._buffers = True, {"events": []}, []
        return skipped

    def _header(self, payload: bytes) -> None:
        fields = _json_object(payload, "header")
        msgid, msgtype = fields.get("msgid"), fields.get("msgtype")
        reqid, buffers = fields.get("reqid"), fields.get("num_buffers", 0)
        if not isinstance(msgid, str) or not isinstance(msgtype, str):
            raise PeerError("the header of a message lacks msgid or msgtype")
        if msgtype not in messages.MESSAGE_TYPES:
            raise PeerError(f"unknown message type {msgtype[:40]!r}")
        if type(buffers) is not int or buffers < 0 or not isinstance(reqid, str | None):
            raise PeerError("the header of a message has a malformed num_buffers or reqid")
        self._fields = {"msgid": msgid, "msgtype": msgtype, "reqid": reqid}
        self._remaining_buffers = buffers
        self.state = ReceiverState.METADATA

    def _metadata(self, payload: bytes) -> None:
        # Nothing defines a metadata key, so its value is not needed; that it is JSON is still checked.
        if payload != codec.EMPTY_OBJECT:
            _json_object(payload, "metadata")
        self.state = ReceiverState.CONTENT

    def _content(self, payload: bytes) -> Message | None:
        self._count(payload)
        if len(payload) > LEAST_CONTAINERS:
            check_structure(payload, self._structure_bytes)
        self._body = _json_object(payload, "content", limit=self._max_message_bytes)
        if self._fields["msgtype"] == messages.PATCH_DOC and self._changes_nothing(self._body.get("events")):
            return self.discard()
        return self._complete_or_next()

    def _changes_nothing(self, events: Any) -> bool:
        """Whether these events do nothing but add roots that the document has."""
        return isinstance(events, list) and len(events) > 0 and all(map(self._adds_known_root, events))

    def _adds_known_root(self, event: Any) -> bool:
        return (
            isinstance(event, dict)
            and event.get("kind") == "RootAdded"
            and isinstance(model := event.get("model"), dict)
            and isinstance(ident := model.get("id"), str)
            and self._is_root(ident)
        )

    def _buffer_id(self, payload: bytes) -> None:
        self._count(payload)
        ident = _json_object(payload, "buffer header").get("id")
        if not isinstance(ident, str):
            raise PeerError("a buffer header lacks its id")
        self._buffer_ident = ident
        self.state = ReceiverState.BUFFER

    def _buffer(self, payload: bytes) -> Message | None:
        if not self._discarding:
            self._count(payload)
            if len(self._buffers) == _containers(self._structure_bytes):
                raise PeerError(f"a message has more than {len(self._buffers)} buffers", close_code=1009)
            self._buffers.append((self._buffer_ident, payload))
        return self._advance_buffer()

    def _advance_buffer(self) -> Message | None:
        self._remaining_buffers -= 1
        return self._complete_or_next()

    def _advance(self) -> Message | None:
        return self._advance_buffer() if self.state is ReceiverState.BUFFER else self._complete_or_next()

    def _complete_or_next(self) -> Message | None:
        if self._remaining_buffers > 0:
            self.state = ReceiverState.BUFFER_ID
            return None
        message = Message(**self._fields, content=self._body, buffers=self._buffers, discarded=self._discarding)
        self._reset()
        return message

    def _count(self, payload: bytes) -> None:
        if self._discarding:
            return
        self._received_bytes += len(payload)
        if self._received_bytes > self._max_message_bytes:
            raise TooLargeError(self._max_message_bytes, self._received_bytes)


def _json_object(payload: bytes, part: str, *, limit: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    if len(payload) > limit:
        raise PeerError(f"the {part} of a message is larger than {limit} bytes", close_code=1009)
    try:
        value = orjson.loads(payload)
    except ValueError:
        value = _odd_json(payload, part)
    if not isinstance(value, dict):
        raise PeerError(f"the {part} of a message is not a JSON object")
    return value


def _odd_json(payload: bytes, part: str) -> Any:
    """The value of what the quick reader refuses; PeerError if it is not JSON at all."""
    try:
        return codec.loads(payload)
    except ValueError:
        raise PeerError(f"the {part} of a message is not JSON") from None
