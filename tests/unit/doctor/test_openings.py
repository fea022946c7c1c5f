"""The application opened by several browsers, through a balancer that sends their sockets where a test says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from bokeh.models import Slider

from app_server.doctor.address import read_target
from app_server.doctor.network.connection import Route
from app_server.doctor.openings import PAGES_AGAIN, SOCKETS_AGAIN, open_all
from app_server.doctor.rules.instances import sessions_stay
from app_server.doctor.seen.pages import Opening
from tests.support.servers.inside import Inside, inside
from tests.unit.doctor.making import healthy

ROUTE = Route("127.0.0.1", timeout_s=20.0)
OPENINGS = 4
ALL_AGAIN = PAGES_AGAIN * SOCKETS_AGAIN


def fill(document: Any) -> None:
    document.add_root(Slider(start=0, end=10, value=1, name="slider"))


@pytest.fixture(scope="module")
def sites() -> Iterator[list[Inside]]:
    """Two instances of one application."""
    with ExitStack() as stack:
        yield [stack.enter_context(inside({"/board": fill}, allow_websocket_origin=("localhost:*",))) for _ in range(2)]


@dataclass(frozen=True)
class Asked:
    """A handshake: the instance of its page, how many there were of this page before, and each instance's sockets."""

    home: int
    before: int
    open: tuple[int, ...]

    @property
    def emptiest(self) -> int:
        """The instance with the fewest sockets; between equals, not the page's, as if it were that one's turn."""
        return min(range(len(self.open)), key=lambda index: (self.open[index], index == self.home))


Choice = Callable[[Asked], int | None]
"""The instance that gets a handshake; None to refuse it."""


@dataclass
class Balancer:
    """A proxy that gives each instance a page in turn."""

    ports: list[int]
    choose: Choice
    pages: int = 0
    most_open: int = 0
    open: list[int] = field(default_factory=lambda: [0, 0])
    homes: dict[str, int] = field(default_factory=dict)
    handshakes: dict[str, int] = field(default_factory=dict)

    async def serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await incoming.readuntil(b"\r\n\r\n")
            asked = re.search(rb"Sec-WebSocket-Protocol: bokeh, (\S+)", head)
            if asked is None:
                self.pages += 1
                await self.forward(head, self.pages % 2, incoming, outgoing)
            else:
                await self.serve_socket(head, asked[1].decode(), incoming, outgoing)
        outgoing.close()

    async def serve_socket(self, head: bytes, token: str, incoming: Any, outgoing: Any) -> None:
        before = self.handshakes.get(token, 0)
        self.handshakes[token] = before + 1
        chosen = self.choose(Asked(self.homes[token], before, tuple(self.open)))
        if chosen is None:
            outgoing.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
            return
        self.open[chosen] += 1
        self.most_open = max(self.most_open, sum(self.open))
        try:
            await self.forward(head, chosen, incoming, outgoing)
        finally:
            self.open[chosen] -= 1

    async def forward(self, head: bytes, index: int, incoming: Any, outgoing: Any) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.ports[index])
        back.write(head)
        await asyncio.gather(self.carry(there, outgoing, index), self.carry(incoming, back, index))

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, index: int) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                for token in re.findall(rb'"token":"([^"]+)"', data):
                    self.homes[token.decode()] = index
                sink.write(data)
        sink.close()


def opened(sites: list[Inside], choose: Choice, route: Route = ROUTE) -> tuple[tuple[Opening, ...], Balancer]:
    async def go() -> tuple[tuple[Opening, ...], Balancer]:
        balancer = Balancer([site.server.port for site in sites], choose)
        async with await asyncio.start_server(balancer.serve, "127.0.0.1", 0) as server:
            place = read_target(f"http://localhost:{server.sockets[0].getsockname()[1]}/board")
            return await open_all(route, place, OPENINGS), balancer

    return asyncio.run(go())


def strayed(openings: tuple[Opening, ...]) -> bool:
    return any(sessions_stay(replace(healthy(), openings=openings)))


def test_sockets_that_stay_are_opened_again_all_at_the_same_time(sites: list[Inside]) -> None:
    openings, balancer = opened(sites, lambda asked: asked.home)
    assert not strayed(openings)
    assert sorted(len(opening.again) for opening in openings) == [0, 0, *[SOCKETS_AGAIN] * PAGES_AGAIN]
    assert all(socket.greeted for opening in openings for socket in opening.again)
    # The pages that are opened again are of both instances.
    assert len({opening.instances[0] for opening in openings if opening.again}) == PAGES_AGAIN
    assert balancer.most_open >= ALL_AGAIN


@pytest.mark.parametrize("lead", [0, SOCKETS_AGAIN - 1, 1000])
def test_proxy_that_was_right_by_luck_and_prefers_idle_instances_is_found(sites: list[Inside], lead: int) -> None:
    """Other visitors have as many more sockets at the second instance."""

    def choose(asked: Asked) -> int:
        first, second = asked.open
        return asked.home if asked.before == 0 else replace(asked, open=(first, second + lead)).emptiest

    openings, _ = opened(sites, choose)
    assert all(len(set(opening.instances)) == 1 for opening in openings)
    assert strayed(openings)


def test_proxy_that_was_right_by_luck_and_takes_turns_is_found(sites: list[Inside]) -> None:
    openings, _ = opened(sites, lambda asked: (asked.home + asked.before) % 2)
    assert all(len(set(opening.instances)) == 1 for opening in openings)
    assert strayed(openings)


def test_one_socket_that_strays_is_enough(sites: list[Inside]) -> None:
    openings, balancer = opened(sites, lambda asked: 0)
    assert strayed(openings)
    assert set(balancer.handshakes.values()) == {1} and not any(opening.again for opening in openings)


def test_socket_that_is_refused_ends_the_attempt(sites: list[Inside]) -> None:
    openings, _ = opened(sites, lambda asked: asked.home if asked.before < 3 else None)
    assert not strayed(openings)
    again = [socket.summary for opening in openings for socket in opening.again]
    assert again == ["accepted, then ACK", "accepted, then ACK", "429"]
