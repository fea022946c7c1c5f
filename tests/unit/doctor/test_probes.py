"""The doctor's walk, to a server inside the test's process, directly and through a relay that cuts sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from bokeh.models import Slider

from app_server.doctor.address import Target, read_target
from app_server.doctor.network.connection import Route
from app_server.doctor.options import Options
from app_server.doctor.probes import IDLE_TRIES, LARGE_TOKEN_BYTES, examine
from app_server.doctor.questions import MAX_FAILED_PAGES
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from tests.support.ports import free_port
from tests.support.servers.inside import Inside, inside
from tests.support.waiting import patience

OPTIONS = Options(route=Route("127.0.0.1", timeout_s=20.0), idle_s=0.2, openings=2)
FRIEND = "http://friend.test"


def fill(document: Any) -> None:
    document.add_root(Slider(start=0, end=10, value=1, name="slider"))


@pytest.fixture(scope="module")
def site() -> Iterator[Inside]:
    """One application, which pages of one other site may embed."""
    with inside({"/board": fill}, allow_websocket_origin=("localhost", "localhost:*", "friend.test")) as served:
        yield served


def target(site: Inside, path: str = "/board") -> Target:
    return read_target(f"http://localhost:{site.server.port}{path}")


@pytest.fixture(scope="module")
def seen(site: Inside) -> Evidence:
    """What is seen of it."""
    origins = (FRIEND, "http://stranger.test")
    return asyncio.run(examine(target(site), replace(OPTIONS, embed_origins=origins, instances=1)))


def test_page_and_its_files_are_looked_at(seen: Evidence) -> None:
    assert seen.page is not None and seen.page.token
    assert [place.failure for place in seen.reach] == [None]
    assert {script.status for script in seen.scripts} == {200} and len(seen.scripts) >= 1
    assert [again.status for again in seen.scripts_again] == [304]
    absent = ("beside_static", "extensions", "missing")
    assert {name: getattr(seen, name).status for name in absent} == dict.fromkeys(absent, 404)
    assert {getattr(seen, name).status for name in ("own_static", "honest", "spoofed")} == {200}


def test_answer_that_comes_bit_by_bit_is_spread(seen: Evidence) -> None:
    assert seen.trickle is not None and seen.trickle.status == 200 and seen.trickle.spread_s > 0


def test_each_opening_has_a_session_of_its_own(seen: Evidence) -> None:
    tokens = {opening.page.token for opening in seen.openings}
    assert len(tokens) == OPTIONS.openings and None not in tokens
    for opening in seen.openings:
        assert opening.socket is not None and opening.socket.greeted and (opening.socket.pulled_bytes or 0) > 100


def test_silence_is_borne(seen: Evidence) -> None:
    assert seen.idle is not None
    assert (seen.idle.ended, seen.idle.wanted_s) == (None, OPTIONS.idle_s)
    assert seen.idle.lasted_s >= OPTIONS.idle_s


def test_strangers_are_kept_out_and_friends_are_let_in(seen: Evidence) -> None:
    assert seen.foreign is not None and seen.foreign.answer.status == 403
    assert seen.foreign_script is not None and seen.foreign_script.status == 403
    friend, stranger = seen.embeddings
    assert friend.script.status == 200 and friend.socket is not None and friend.socket.greeted
    assert stranger.script.status == 403 and stranger.socket is None


def test_token_may_be_large(seen: Evidence) -> None:
    assert seen.large_token is not None and seen.large_token.greeted
    assert seen.large_token_bytes is not None and abs(seen.large_token_bytes - LARGE_TOKEN_BYTES) < 4


def test_index_leads_to_the_only_application(site: Inside) -> None:
    found = asyncio.run(examine(target(site, "/"), OPTIONS))
    assert [answer.status for answer in found.redirects] == [302]
    assert found.page is not None and found.page.answer.target.path == "/board"


def test_page_that_is_missing_has_no_sessions(site: Inside) -> None:
    found = asyncio.run(examine(target(site, "/nothing"), OPTIONS))
    assert found.page is not None and found.page.answer.status == 404
    assert found.openings == () and found.idle is None


def test_nobody_who_listens_is_all_that_is_seen() -> None:
    found = asyncio.run(examine(read_target(f"http://localhost:{free_port()}/board"), OPTIONS))
    assert [place.failure and place.failure.kind for place in found.reach] == ["refused"]
    assert found.page is None and [finding.id for finding in judge(found)] != []


def test_name_that_is_not_known_is_all_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*anything: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no name server is asked
    found = asyncio.run(examine(read_target("http://no-such-host.invalid/board"), replace(OPTIONS, route=Route())))
    assert found.name_failure is not None and found.name_failure.kind == "name"
    assert found.reach == () and found.page is None


def test_walk_ends_at_its_limit_whatever_anybody_does() -> None:
    async def go() -> Evidence:
        # Python closes what nothing refers to, and a server waits for what is open.
        held: list[asyncio.StreamWriter] = []
        async with await asyncio.start_server(lambda _, outgoing: held.append(outgoing), "127.0.0.1", 0) as server:
            place = read_target(f"http://localhost:{server.sockets[0].getsockname()[1]}/board")
            options = Options(route=Route("127.0.0.1", timeout_s=patience(0.1)), idle_s=0.05)
            try:
                return await examine(place, options)
            finally:
                for each in held:
                    each.close()

    found = asyncio.run(go())
    assert found.page is not None and found.page.answer.failure is not None
    assert found.page.answer.failure.kind == "timeout" and len(found.failed_pages) == 1


@dataclass
class Relay:
    """A proxy that ends the socket of the first page: at once for so many times, later some time after the greeting."""

    port: int
    cuts: int
    patience_s: float
    token: str = ""
    sockets: int = 0

    async def serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await incoming.readuntil(b"\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
            back.write(head)
            text = head.decode("latin-1")
            own = self.token and f"Sec-WebSocket-Protocol: bokeh, {self.token}\r\n" in text
            if own and "doctor.invalid" not in text:
                await self.idle(incoming, outgoing, there, back)
            else:
                await asyncio.gather(self.carry(there, outgoing), self.carry(incoming, back))

    async def idle(self, incoming: Any, outgoing: Any, there: Any, back: Any) -> None:
        self.sockets += 1
        if self.sockets <= self.cuts:
            outgoing.write(await there.readuntil(b"\r\n\r\n"))
            outgoing.close()
            back.close()
            return
        outgoing.write(await there.readuntil(b"\r\n\r\n"))
        outgoing.write(await there.read(65536))  # the greeting, however late a busy machine sends it
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience_s):
                await asyncio.gather(self.carry(there, outgoing), self.carry(incoming, back))
        outgoing.close()
        back.close()

    async def carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                found = re.search(rb'"token":"([^"]+)"', data)
                if found is not None and not self.token:
                    self.token = found[1].decode()
                sink.write(data)
            sink.close()


def through(site: Inside, cuts: int, patience_s: float) -> tuple[Evidence, Relay]:
    async def go() -> tuple[Evidence, Relay]:
        relay = Relay(site.server.port, cuts, patience_s)
        async with await asyncio.start_server(relay.serve, "127.0.0.1", 0) as server:
            place = read_target(f"http://localhost:{server.sockets[0].getsockname()[1]}/board")
            return await examine(place, replace(OPTIONS, idle_s=30.0, openings=1)), relay

    return asyncio.run(go())


def test_socket_that_is_lost_before_its_greeting_is_opened_again(site: Inside) -> None:
    found, relay = through(site, cuts=IDLE_TRIES - 1, patience_s=0.3)
    assert relay.sockets == IDLE_TRIES
    assert found.idle is not None and found.idle.ended is not None and found.idle.lasted_s < 30.0


def test_socket_that_is_always_lost_is_not_opened_for_ever(site: Inside) -> None:
    found, relay = through(site, cuts=100, patience_s=0.3)
    assert (relay.sockets, found.idle) == (IDLE_TRIES, None)


@dataclass
class Failing:
    """A proxy that has no instance for the first requests of each path."""

    port: int
    failures: Mapping[str, int]
    asked: Counter[str] = field(default_factory=Counter)

    async def serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await incoming.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().partition("?")[0] if head.count(b" ") > 1 else ""
            self.asked[path] += 1
            if self.asked[path] <= self.failures.get(path, 0):
                outgoing.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                there, back = await asyncio.open_connection("127.0.0.1", self.port)
                back.write(head)
                await asyncio.gather(carry(there, outgoing), carry(incoming, back))
        outgoing.close()


async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
    sink.close()


def behind_failing(site: Inside, failures: Mapping[str, int]) -> tuple[Evidence, Failing]:
    async def go() -> tuple[Evidence, Failing]:
        failing = Failing(site.server.port, failures)
        async with await asyncio.start_server(failing.serve, "127.0.0.1", 0) as server:
            place = read_target(f"http://localhost:{server.sockets[0].getsockname()[1]}/board")
            return await examine(place, OPTIONS), failing

    return asyncio.run(go())


@pytest.mark.parametrize(
    "path", ["/nothing-of-the-doctor", "/board/autoload.js", "/healthz", "/board/static/js/bokeh.min.js"]
)
def test_request_that_only_another_try_answers_shows_that_an_instance_is_down(site: Inside, path: str) -> None:
    found, failing = behind_failing(site, {path: 1})
    assert [[answer.status == 502 for answer in answers] for answers in found.repeated] == [[True, False]]
    assert found.repeated[0][0].target.path == path and failing.asked[path] >= 2
    assert [finding.id for finding in judge(found)] == ["instance-down"]


def test_request_that_is_never_answered_is_not_repeated_for_ever(site: Inside) -> None:
    found, failing = behind_failing(site, {"/nothing-of-the-doctor": 100})
    assert failing.asked["/nothing-of-the-doctor"] == 1 + MAX_FAILED_PAGES
    assert found.missing is not None and found.missing.status == 502
    assert judge(found) == []
