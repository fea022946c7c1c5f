"""A visitor's requests and WebSockets, each on a connection of its own and within a time limit.

Whatever the other end does, a method returns: with an answer, or with the failure that came instead.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from app_server.doctor.address import Target
from app_server.doctor.network.connection import READ_BYTES, Route, attempt, connection
from app_server.doctor.network.sockets import Socket
from app_server.doctor.seen.answers import Answer, Handshake
from app_server.protocol import http_client
from app_server.protocol.doctor import HEADER, Sent
from app_server.protocol.handshake import new_key, request_headers
from app_server.protocol.websocket import accept_key
from app_server.version import __version__

USER_AGENT: Final = f"app-server-doctor/{__version__}"

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
"""The largest file of BokehJS has 5 MB, a page with its document's data perhaps 20."""

FALSE_ADDRESS: Final = "192.0.2.66"
"""From a network reserved for documentation (RFC 5737): no visitor has such an address."""


@dataclass(frozen=True)
class Visitor:
    """A separate browser with its own cookies."""

    route: Route
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        target: Target,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        origin: str = "",
        extra_s: float = 0.0,
    ) -> Answer:
        """The answer to one request; `extra_s` is added to the time limit."""
        wanted = [*self._common(target, origin), ("Connection", "close"), *(headers or {}).items()]
        if not any(name == "Accept-Encoding" for name, _ in wanted):
            wanted.append(("Accept-Encoding", "identity"))
        reader = http_client.ResponseReader(method, MAX_BODY_BYTES)
        started = time.monotonic()
        times: list[float] = []
        first_s = 0.0

        async def exchange() -> None:
            nonlocal first_s
            async with connection(self.route, target) as (incoming, outgoing):
                outgoing.write(http_client.request(method, target.request_path, wanted))
                while not reader.done:
                    data = await incoming.read(READ_BYTES)
                    now = time.monotonic() - started
                    if not data:
                        reader.end()
                    before = len(reader.body)
                    reader.feed(data)
                    if reader.head_done and not first_s:
                        first_s = now
                    if len(reader.body) > before:
                        times.append(now)

        failure = await attempt(exchange, self.route.timeout_s + extra_s)
        body = http_client.decoded(bytes(reader.body), reader.header("content-encoding") or "", MAX_BODY_BYTES)
        answer = Answer(
            target, method, reader.status if reader.head_done else 0, reader.headers, body, failure,
            first_s, time.monotonic() - started, tuple(times[:1000]),
        )  # fmt: skip
        self._keep_cookies(answer)
        return answer

    async def say_nonsense(self, target: Target) -> Answer:
        """The answer to a request without a Host: the first server in line answers it, and names itself."""
        reader = http_client.ResponseReader("GET", MAX_BODY_BYTES)

        async def exchange() -> None:
            async with connection(self.route, target) as (incoming, outgoing):
                outgoing.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
                while not reader.head_done and (data := await incoming.read(READ_BYTES)):
                    reader.feed(data)

        failure = await attempt(exchange, self.route.timeout_s)
        return Answer(target, status=reader.status, headers=reader.headers, failure=failure)

    def _common(self, target: Target, origin: str, address: str = "") -> list[tuple[str, str]]:
        sent = Sent(target.scheme, target.authority, target.path, origin, address or FALSE_ADDRESS)
        found = [("Host", target.authority), ("User-Agent", USER_AGENT), (HEADER, sent.statement())]
        if origin:
            found.append(("Origin", origin))
        if self.cookies:
            found.append(("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        return [*found, *self.route.headers]

    def _keep_cookies(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name == "set-cookie" and len(self.cookies) < 50:
                key, equals, rest = value.partition(";")[0].partition("=")
                if equals and key.strip().isascii() and key.strip():
                    self.cookies[key.strip()] = rest.strip()[:4096]

    async def open_socket(
        self, target: Target, token: str, *, origin: str, then: Callable[[Socket], Any] | None = None
    ) -> Handshake:
        """Open a WebSocket and wait for the greeting; `then` is called with the greeted socket and awaited."""
        key = new_key(os.urandom(16))
        wanted = [*self._common(target, origin), *request_headers(key, token)]
        reader = http_client.ResponseReader("GET", MAX_BODY_BYTES)
        started = time.monotonic()
        found = Handshake(Answer(target))

        async def exchange() -> None:
            nonlocal found
            async with connection(self.route, target) as (incoming, outgoing):
                async with asyncio.timeout(self.route.timeout_s):
                    outgoing.write(http_client.request("GET", target.request_path, wanted))
                    while not reader.done:
                        data = await incoming.read(READ_BYTES)
                        if not data:
                            reader.end()
                        reader.feed(data)
                    spent = time.monotonic() - started
                    answer = Answer(target, "GET", reader.status, reader.headers, bytes(reader.body), None, spent)
                    found = replace(found, answer=answer, whole_s=spent)
                    if reader.status != 101:
                        return
                    if reader.header("sec-websocket-accept") != accept_key(key):
                        raise http_client.Malformed("Sec-WebSocket-Accept is missing or wrong: not a WebSocket")
                    found = replace(found, accepted=True)
                    opened = Socket(incoming, outgoing, reader.left_over)
                    greeting = await opened.receive()
                spent = time.monotonic() - started
                found = replace(
                    found, greeting=greeting, close_code=opened.close_code, close_reason=opened.close_reason,
                    whole_s=spent,
                )  # fmt: skip
                if found.greeted and then is not None:
                    await then(opened)
                await opened.goodbye()

        failure = await attempt(exchange, None)
        if failure is not None and not found.accepted:
            status, headers = (reader.status, reader.headers) if reader.head_done else (0, ())
            found = replace(found, answer=Answer(target, "GET", status, headers, failure=failure))
        elif failure is not None and found.greeting is None and found.close_code is None:
            found = replace(found, failure=failure)
        return found if found.whole_s else replace(found, whole_s=time.monotonic() - started)
