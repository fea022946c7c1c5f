"""Messages to frames: each message is encoded once, whoever receives it.

A frame is a pair of its RFC 6455 opcode and its payload. A message is three text frames (header, metadata, content)
and, for each buffer, a text frame with the buffer's id and a binary frame with its bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import Any, Final, TypeAlias

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


def loads(payload: Payload) -> Any:
    """The value of a JSON text; ValueError where it is none."""
    return orjson.loads(payload)


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
    """The answer to a message that was not carried out; the traceback is for development alone."""
    return encode(messages.ERROR, dumps({"text": text, "traceback": traceback}), reqid=reqid)


def realignment() -> list[Frame]:
    """What brings a BokehJS receiver that was cut off in the middle of a message back to its first state.

    BokehJS 3.9 does not reset its receiver when it reconnects. A text frame where it waits for a binary one, or a
    binary one where it waits for text, makes it drop what it had and connect anew.
    """
    return [(TEXT, EMPTY_OBJECT), (BINARY, b""), *ack()]
