"""The messages of the protocol, version-free: what unmodified BokehJS and `bokeh.client` 3.9 and 3.10 exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

ACK: Final = "ACK"
PULL_DOC_REQ: Final = "PULL-DOC-REQ"
PULL_DOC_REPLY: Final = "PULL-DOC-REPLY"
PATCH_DOC: Final = "PATCH-DOC"
PUSH_DOC: Final = "PUSH-DOC"
SERVER_INFO_REQ: Final = "SERVER-INFO-REQ"
SERVER_INFO_REPLY: Final = "SERVER-INFO-REPLY"
OK: Final = "OK"
ERROR: Final = "ERROR"

MESSAGE_TYPES: Final = frozenset(
    {ACK, PULL_DOC_REQ, PULL_DOC_REPLY, PATCH_DOC, PUSH_DOC, SERVER_INFO_REQ, SERVER_INFO_REPLY, OK, ERROR}
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it arrived: header fields, decoded content, and its binary buffers by id, in order."""

    msgid: str
    msgtype: str
    content: Mapping[str, Any]
    buffers: Sequence[tuple[str, bytes]] = ()
    reqid: str | None = None
    discarded: bool = field(default=False)
    """True if the content was dropped unread, because its first bytes showed that it changes nothing."""


EARLY_REQUEST: Final = Message("early", PULL_DOC_REQ, {})
"""What a socket with the subprotocol `handshake.WITH_DOCUMENT` asks by being opened."""
