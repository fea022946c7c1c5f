"""The socket of a client after Tornado's handshake, before it is the client's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado.iostream import IOStream

from app_server.protocol import websocket
from app_server.protocol.deflate import Deflate
from app_server.websocket.owner import Traffic, WireLimits, WireOwner
from app_server.websocket.take_over import take_over
from app_server.websocket.wire import Wire


class RawSocket:
    """A Tornado stream on which the handshake was answered; with `deflate`, messages are compressed."""

    def __init__(self, stream: IOStream, deflate: Deflate | None = None) -> None:
        self._stream = stream
        self._deflate = deflate

    def wire(
        self, owner: WireOwner, limits: WireLimits, traffic: Traffic, new_wire: Callable[..., Wire] = Wire
    ) -> Wire:
        """The wire on the socket, which is taken from Tornado; StreamClosedError if the client has gone away."""
        sock, left_over = take_over(self._stream)
        more: dict[str, Any] = {"deflate": self._deflate, "traffic": traffic, "left_over": left_over}
        return new_wire(sock, owner, limits, **more)

    async def refuse(self, code: int, reason: str) -> None:
        """Send a Close frame and close the connection; StreamClosedError if the client has gone away."""
        payload = websocket.close_payload(code, reason)
        await self._stream.write(b"".join(websocket.serialize([(websocket.CLOSE, payload)])))
        self._stream.close()
