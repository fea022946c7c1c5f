"""The request that opens a WebSocket: what a client sends, and what a server accepts (RFC 6455, section 4)."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from enum import Enum
from typing import Final

_KEY_BYTES = 16
VERSION = "13"

BOKEH: Final = "bokeh"
"""The subprotocol; the client offers it before its token."""

WITH_DOCUMENT: Final = "bokeh-document"
"""The same, and the client is sent the document without asking: it offers this after the token."""


class Fault(Enum):
    """Why a request does not open a WebSocket."""

    NOT_A_HANDSHAKE = "This address only answers WebSockets"
    BAD_KEY = "Sec-WebSocket-Key must be 16 bytes in base64"
    HAS_A_BODY = "A WebSocket handshake has no body"
    OTHER_VERSION = "Only version 13 of the WebSocket protocol is supported"


def new_key(random: bytes) -> str:
    """The Sec-WebSocket-Key of these 16 random bytes."""
    return b64encode(random).decode("ascii")


def request_headers(key: str, token: str) -> tuple[tuple[str, str], ...]:
    """What a client adds to its request to open the socket of the session that this token is for."""
    return (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", VERSION),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Protocol", f"{BOKEH}, {token}"),
    )


def fault_of(method: str, version: str, headers: Mapping[str, str]) -> Fault | None:
    """Why this request is not an acceptable handshake; None if it is one.

    `version` is that of the request line, such as "HTTP/1.1"; `headers` finds names in any case, and joins what came
    several times with commas.
    """
    # "an HTTP/1.1 or higher GET request" (item 1)
    if method != "GET" or version != "HTTP/1.1":
        return Fault.NOT_A_HANDSHAKE
    # "an |Upgrade| header field containing the value "websocket"" (item 3), "a |Connection| header field that includes
    # the token "Upgrade"" (item 4), both "treated as an ASCII case-insensitive value"
    for name, token in (("Upgrade", "websocket"), ("Connection", "upgrade")):
        if token not in [each.strip(" \t") for each in headers.get(name, "").lower().split(",")]:
            return Fault.NOT_A_HANDSHAKE
    key = headers.get("Sec-WebSocket-Key")
    if key is None:
        return Fault.NOT_A_HANDSHAKE
    # "a |Sec-WebSocket-Version| header field, with a value of 13" (item 6): another version may have other keys
    if headers.get("Sec-WebSocket-Version") != VERSION:
        return Fault.OTHER_VERSION
    # "a base64-encoded value that, when decoded, is 16 bytes in length" (item 5)
    if not _is_key(key):
        return Fault.BAD_KEY
    if headers.get("Content-Length", "0").strip("0") or "Transfer-Encoding" in headers:
        return Fault.HAS_A_BODY
    return None


def _is_key(text: str) -> bool:
    try:
        return len(b64decode(text, validate=True)) == _KEY_BYTES
    except (ValueError, binascii.Error):
        return False
