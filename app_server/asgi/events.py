"""What a handler answers, as ASGI's events; plain values, without I/O."""

from __future__ import annotations

from typing import Final

from tornado.httputil import HTTPHeaders

from app_server.asgi.scope import Event
from app_server.protocol.websocket import TEXT, Payload, close_payload

HTTP: Final = "http.response"
REFUSAL: Final = "websocket.http.response"
"""The kinds of answers: to a request, and to the handshake of a WebSocket that is not opened."""

_OF_THE_SERVER: Final = frozenset({"server", "date", "connection", "transfer-encoding", "keep-alive", "upgrade"})
"""Headers that are the ASGI server's own: it writes them, or they concern its connection."""

_OF_THE_HANDSHAKE: Final = "sec-websocket-"

POLICY: Final = 1008
TRY_AGAIN: Final = 1013
"""Close codes (RFC 6455, section 7.4) for a refusal that has no page. Browsers see only that the handshake failed."""


def sent_headers(headers: HTTPHeaders) -> list[tuple[bytes, bytes]]:
    """The headers of an answer without those that the ASGI server writes."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.get_all()
        if name.lower() not in _OF_THE_SERVER and not name.lower().startswith(_OF_THE_HANDSHAKE)
    ]


def start_event(kind: str, status: int, headers: HTTPHeaders) -> Event:
    """The beginning of an answer."""
    return {"type": f"{kind}.start", "status": status, "headers": sent_headers(headers)}


def body_event(kind: str, chunk: bytes, *, more: bool) -> Event:
    """A part of an answer's body."""
    return {"type": f"{kind}.body", "body": bytes(chunk), "more_body": more}


def accept_event(headers: HTTPHeaders) -> Event:
    """The answer that opens a WebSocket, of the headers of a 101."""
    return {
        "type": "websocket.accept",
        "subprotocol": headers.get("Sec-WebSocket-Protocol"),
        "headers": sent_headers(headers),
    }


def refusal_event(status: int) -> Event:
    """The refusal of a WebSocket by a server that has its own page for that, mostly a 403."""
    return close_event(TRY_AGAIN if status == 503 else POLICY, f"refused: {status}")


def close_event(code: int, reason: str) -> Event:
    """The end of a WebSocket; the reason is cut to what a Close frame can hold."""
    return {"type": "websocket.close", "code": code, "reason": close_payload(code, reason)[2:].decode("utf-8")}


def send_event(opcode: int, payload: Payload) -> Event:
    """A message to a client."""
    if opcode == TEXT:
        return {"type": "websocket.send", "text": str(payload, "utf-8")}
    return {"type": "websocket.send", "bytes": bytes(payload)}
