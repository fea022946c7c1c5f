"""Messages to frames: each message is encoded once for all its receivers.

A frame is a pair of its RFC 6455 opcode and its payload. A message is three text frames (header, metadata, content)
and, for each buffer, a text frame with the buffer's id and a binary frame with its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, NoReturn, TypeAlias

import orjson

from app_server.protocol import messages
from app_server.protocol.websocket import BINARY, TEXT

Payload: TypeAlias = bytes | memoryview
Frame: TypeAlias = tuple[int, Payload]
Buffer: TypeAlias = tuple[str, Payload]

EMPTY_OBJECT: Final = b"{}"

_message_numbers = count(1)


def dumps(value: Any) -> bytes:
    """JSON as UTF-8 bytes; text with lone surrogates, which UTF-8 cannot carry, is escaped as ECMAScript allows."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")


def loads(text: Payload) -> Any:
    """The value of a JSON text, lone surrogates included, as browsers and `dumps` write them; ValueError if it is none.

    A text field that is full cuts an emoji in two.
    """
    try:
        return orjson.loads(text)
    except ValueError:
        if b"\\ud" not in bytes(text).lower():
            raise
        try:
            return json.loads(str(text, "utf-8"), parse_constant=_refuse)
        except RecursionError:
            raise ValueError("too deep") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def encode(
    msgtype: str, content: bytes = EMPTY_OBJECT, *, buffers: Sequence[Buffer] = (), reqid: str | None = None
) -> list[Frame]:
    """The frames of one message; `content` is JSON already, `reqid` the id of the message that it answers."""
    header: dict[str, Any] = {"msgid": str(next(_message_numbers)), "msgtype": msgtype}
    if reqid is not None:
        header["reqid"] = reqid
    if buffers:
        header["num_buffers"] = len(buffers)
    frames: list[Frame] = [(TEXT, orjson.dumps(header)), (TEXT, EMPTY_OBJECT), (TEXT, content)]
    for ident, payload in buffers:
        frames.append((TEXT, orjson.dumps({"id": ident})))
        frames.append((BINARY, payload))
    return frames


def ack() -> list[Frame]:
    """The message that opens every connection."""
    return encode(messages.ACK)


def ok(reqid: str) -> list[Frame]:
    """The answer to a message that was carried out."""
    return encode(messages.OK, reqid=reqid)


def error(reqid: str, text: str, traceback: str | None = None) -> list[Frame]:
    """The answer to a message that was not carried out; the traceback is only for development."""
    return encode(messages.ERROR, dumps({"text": text, "traceback": traceback}), reqid=reqid)


def realignment(round_number: int, buffers: int) -> list[Frame]:
    """What brings a BokehJS receiver to its first state from any other, and leaves one that is there as it is.

    BokehJS, also 3.10, does not reset its receiver when it reconnects: it takes what comes for the rest of the message
    that was cut off, which may lack up to `buffers` buffers, and drops a frame of the wrong kind. All text frames here
    are the same header, of a message with one buffer. Six of them lead every state to the one that waits for a buffer's
    bytes: two may complete the message that was cut off, four begin one of ours, and what is too much is dropped. The
    binary frame ends the message, or one buffer of it. A message of ours is an ACK: a receiver asks for its document.
    Buffers are counted by their ids; therefore each round has an id of its own. `round_number` tells calls apart.
    """
    frames: list[Frame] = []
    for number in range(buffers + 1):
        ident = f"ack{round_number}.{number}"
        header = {"msgid": ident, "msgtype": messages.ACK, "num_buffers": 1, "id": ident}
        frames += [(TEXT, orjson.dumps(header))] * 6
        frames.append((BINARY, b""))
    return frames
