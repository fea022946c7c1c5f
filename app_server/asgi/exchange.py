"""One request of an ASGI server: its body in, Tornado's handlers, its answer out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPMessageDelegate, ResponseStartLine

from app_server.asgi.connection import AsgiConnection
from app_server.asgi.mounts import Mount
from app_server.asgi.scope import AsgiRequest, Receive, Scope, Send, is_websocket
from app_server.errors import LONGEST_SHOWN, in_one_line
from app_server.page import error_page
from app_server.protocol.pace import Pace

log = logging.getLogger(__name__)


class ClientLeft(Exception):
    """The client has left before its request was complete."""


class Refused(Exception):
    """A request that no handler gets; `status`, `headline` and `hint` are what it is answered with."""

    def __init__(self, status: int, headline: str, hint: str | None = None) -> None:
        self.status = status
        self.headline = headline
        self.hint = hint
        super().__init__(headline)


Check = Callable[[Scope, Any], None]
"""Raises Refused for a request, of this scope and for this handler, that is not to be answered."""


async def answer(mount: Mount, scope: Scope, receive: Receive, send: Send, check: Check) -> None:
    """Answer a request, or carry the WebSocket that it opens, until the connection is over."""
    connection = AsgiConnection(scope, send, mount.intake.pace.idle_s)
    if is_websocket(scope) and (await receive())["type"] != "websocket.connect":
        return
    try:
        handler = await _received(mount, scope, connection, receive, check)
        handler.finish()
        await _pumped(connection, receive)
        if connection.socket is not None and not connection.gone:
            await connection.socket.serve(receive, send)
    except ClientLeft:
        return
    except Refused as refused:
        mount.intake.answered(refused.status)
        _write_page(connection, refused)
        await connection.pump()
    finally:
        connection.leave()  # the server may have given up the request, whose handler may go on


async def _received(
    mount: Mount, scope: Scope, connection: AsgiConnection, receive: Receive, check: Check
) -> HTTPMessageDelegate:
    """The handler of a request whose body has come."""
    try:
        request = AsgiRequest(scope, connection)
    except HTTPInputError as error:
        log.info("Malformed request: %s", error)
        raise Refused(400, "The request is malformed") from None
    handler: HTTPMessageDelegate = mount.application.find_handler(request)
    check(scope, getattr(handler, "handler_class", None))
    if not is_websocket(scope):
        about = in_one_line(f"{request.method} {request.path}", LONGEST_SHOWN)
        await _take_body(handler, receive, mount.intake.largest_body(request), mount.intake.pace, about)
    return handler


async def _take_body(
    handler: HTTPMessageDelegate, receive: Receive, largest: int | None, pace: Pace, about: str
) -> None:
    """Give the handler the body, if it is not too large and comes in time."""
    loop = asyncio.get_running_loop()
    since_s, size, more = loop.time(), 0, True
    while more:
        try:
            async with asyncio.timeout(pace.body_left_s(size, loop.time() - since_s)):
                event = await receive()
        except TimeoutError:
            raise Refused(408, "The request did not come in time") from None
        if event["type"] == "http.disconnect":
            raise ClientLeft
        chunk, more = event.get("body", b""), event.get("more_body", False)
        size += len(chunk)
        if largest is not None and size > largest:
            log.warning("413 %s: a body may have %d bytes there", about, largest)
            raise Refused(413, "The request is too large")
        if chunk:
            handler.data_received(chunk)


async def _pumped(connection: AsgiConnection, receive: Receive) -> None:
    """Send the answer as it comes; the handler hears of a client that leaves before."""
    pumping = asyncio.ensure_future(connection.pump())
    watching = None if connection.websocket else asyncio.ensure_future(_watch(connection, receive))
    try:
        await asyncio.wait([pumping, *([watching] if watching else [])], return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
    finally:
        for task in (pumping, watching):
            if task is not None:
                task.cancel()


async def _watch(connection: AsgiConnection, receive: Receive) -> None:
    """Let the handler hear of a client that leaves.

    Middleware that has read the body often gives it again for ever, without waiting, so it is asked only once.
    """
    if (await receive())["type"] != "http.disconnect":
        await asyncio.get_running_loop().create_future()
    connection.leave()


def _write_page(connection: AsgiConnection, refused: Refused) -> None:
    body = error_page(refused.status, refused.headline, "", hint=refused.hint).encode("utf-8")
    headers = HTTPHeaders(
        {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Content-Length": str(len(body))}
    )
    connection.write_headers(ResponseStartLine("HTTP/1.1", refused.status, ""), headers, body)
    connection.finish()
