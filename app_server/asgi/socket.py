"""The opened WebSocket of an ASGI server, before it is a client's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tornado.iostream import StreamClosedError

from app_server.asgi.events import close_event
from app_server.asgi.scope import Event, Receive, Send
from app_server.asgi.wire import AsgiWire
from app_server.websocket.owner import Traffic, WireLimits, WireOwner

_REFUSED_WITHIN_S = 5.0
"""How long a client may take for a refusal before it is left."""


class AsgiSocket:
    """Becomes the wire of a client once its session is there, or is closed."""

    def __init__(self) -> None:
        self._decided = asyncio.Event()
        self._gone = False
        self._wire: AsgiWire | None = None
        self._refusal: Event | None = None

    def wire(
        self, owner: WireOwner, limits: WireLimits, traffic: Traffic, new_wire: Callable[..., Any] | None = None
    ) -> AsgiWire:
        """The wire, which is not started; StreamClosedError if the client has gone away."""
        if self._gone:
            raise StreamClosedError
        self._wire = AsgiWire(owner, limits, traffic)
        self._decided.set()
        return self._wire

    async def refuse(self, code: int, reason: str) -> None:
        """Close it."""
        self._refusal = close_event(code, reason)
        self._decided.set()

    def leave(self) -> None:
        """The connection is over: the wire of the socket ends; if it has none yet, it gets none. Idempotent."""
        self._gone = True
        if self._wire is not None:
            self._wire.abort(1006, "the client went away")

    async def serve(self, receive: Receive, send: Send) -> None:
        """Carry messages until the connection is over; called by the ASGI application, which returns then."""
        first, deciding = asyncio.ensure_future(receive()), asyncio.ensure_future(self._decided.wait())
        try:
            await asyncio.wait({first, deciding}, return_when=asyncio.FIRST_COMPLETED)
            if not (first.done() and first.result()["type"] == "websocket.disconnect"):
                await deciding
        except BaseException:  # a wire that is there already would wait for its client for ever
            self.leave()
            first.cancel()
            raise
        finally:
            deciding.cancel()
        if self._wire is None:
            self.leave()
            first.cancel()
        if self._wire is not None:
            await self._wire.run(receive, send, first)
        elif self._refusal is not None:
            async with asyncio.timeout(_REFUSED_WITHIN_S):
                await send(self._refusal)
