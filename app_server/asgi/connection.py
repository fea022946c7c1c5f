"""The connection of one request, through which Tornado's handlers answer an ASGI server."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

from app_server.asgi import events
from app_server.asgi.scope import Event, Peer, Scope, Send, can_refuse_with_page, is_websocket
from app_server.asgi.socket import AsgiSocket

_PART_BYTES = 256 * 1024
"""How much of a body is sent at once: a client may take as long for it as for one that has stalled."""


class AsgiConnection(HTTPConnection):
    """Turns what a handler writes into events, which `pump` sends as fast as the server takes them.

    The answer 101 opens the WebSocket of a scope that is one; any other answer refuses it.
    """

    def __init__(self, scope: Scope, send: Send, stalled_s: float = 0) -> None:
        self.context = Peer.of(scope)
        self.begun = False
        """Whether the answer has begun."""
        self.socket: AsgiSocket | None = None
        """The opened WebSocket, when it has left this connection."""
        self._accepted = False
        self._send = send
        self._stalled_s = stalled_s or None
        self.websocket = is_websocket(scope)
        """Whether this is the handshake of a WebSocket."""
        self._with_page = can_refuse_with_page(scope)
        self._kind = events.REFUSAL if self.websocket else events.HTTP
        self._waiting: deque[tuple[Event, Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._over = False
        self._gone = False
        self._on_close: Callable[[], Any] | None = None

    @property
    def gone(self) -> bool:
        """Whether the client has left before it had its answer."""
        return self._gone

    def set_close_callback(self, callback: Callable[[], Any] | None) -> None:
        """Call this if the client leaves; Tornado's name for it."""
        self._on_close = callback

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Begin the answer; done when the server has taken it."""
        assert isinstance(start_line, ResponseStartLine)
        self.begun = True
        if self.websocket and start_line.code == 101:
            self._accepted = True
            return self._put(events.accept_event(headers))
        if self.websocket and not self._with_page:
            self._over = True
            return self._put(events.refusal_event(start_line.code))
        done = self._put(events.start_event(self._kind, start_line.code, headers))
        return self.write(chunk) if chunk else done

    def write(self, chunk: bytes) -> Future[None]:
        """Go on with the answer; done when the server has taken it."""
        if self._over and not self._gone:  # a refusal that has no page
            return _settle(asyncio.get_running_loop().create_future(), gone=False)
        for start in range(0, max(len(chunk), 1), _PART_BYTES):
            done = self._put(events.body_event(self._kind, chunk[start : start + _PART_BYTES], more=True))
        return done

    def finish(self) -> None:
        """The answer is complete."""
        if self._over or self._accepted:
            return
        last = self._waiting[-1][0] if self._waiting else None
        if last is not None and last["type"] == f"{self._kind}.body":
            last["more_body"] = False
        else:
            self._put(events.body_event(self._kind, b"", more=False))
        self._over = True

    def detach(self) -> AsgiSocket:
        """Leave the opened WebSocket to its session; Tornado's name for it."""
        self.socket = AsgiSocket()
        if self._gone:
            self.socket.leave()
        self._wake.set()
        return self.socket

    def leave(self) -> None:
        """The client has left: nothing more is sent, and the handler learns it. Idempotent."""
        if self._gone:
            return
        if self.socket is not None:
            self.socket.leave()
        self._gone = self._over = True
        self._wake.set()
        for _, done in self._waiting:
            _settle(done, gone=True)
        self._waiting.clear()
        callback, self._on_close = self._on_close, None
        if callback is not None:
            callback()

    async def pump(self) -> None:
        """Send the answer; return when it is complete, the client has left or the WebSocket is open.

        A client that reads nothing for so long that the server takes nothing is left.
        """
        while True:
            while self._waiting:
                event, done = self._waiting.popleft()
                try:
                    async with asyncio.timeout(self._stalled_s):
                        await self._send(event)
                except (OSError, TimeoutError):
                    self.leave()
                    return
                finally:
                    _settle(done, gone=self._gone)
            if self._over or self.socket is not None:
                return
            self._wake.clear()
            await self._wake.wait()

    def _put(self, event: Event) -> Future[None]:
        done: Future[None] = asyncio.get_running_loop().create_future()
        if self._gone:
            _settle(done, gone=True)
            return done
        self._waiting.append((event, done))
        self._wake.set()
        return done


def _settle(done: Future[None], *, gone: bool) -> Future[None]:
    """Let a handler that waits for this go on."""
    if done.done():
        return done
    if gone:
        done.set_exception(StreamClosedError())
        done.exception()  # a handler that does not wait for it need not hear of it
    else:
        done.set_result(None)
    return done
