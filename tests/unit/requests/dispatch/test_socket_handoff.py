"""Connections that other processes hand over, as the process sees them that gets them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
import trustme
from bokeh.models import Slider
from tornado.web import Application, RequestHandler

from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable
from app_server.processes.runtime_dir import RuntimeDir
from app_server.processes.worker_group import WorkerGroup
from app_server.requests.dispatch.arriving import SharedHTTPServer, user_of_message
from app_server.requests.dispatch.socket_handoff import pass_on, portable
from app_server.server.membership import Membership
from tests.support.client import Site
from tests.support.servers.inside import inside

WORDS = {"family": "AF_INET", "address": ["192.0.2.1", 4242], "scheme": "http", "user": "alice"}


class Whose(RequestHandler):
    """Answers who has sent the request."""

    def get(self) -> None:
        """The address, and the user as they are known at first and the second time."""
        self.finish(f"{self.request.remote_ip} {user_of_message(self.request)} {user_of_message(self.request)}\n")


class Elsewhere(RequestHandler):
    """Hands each request over to the process behind a box, as one does that is replaced, or refuses it."""

    def initialize(self, workers: Callable[[], WorkerGroup], socket_path: Path) -> None:
        """Called by Tornado."""
        self.workers, self.socket_path = workers(), socket_path

    async def get(self) -> None:
        """Hand over."""
        try:
            await pass_on(self.request, self.workers, self.socket_path, 0, awaits=True)
            self._finished = True
        except Unreachable as error:
            self.set_status(503)
            self.finish(str(error))


def serving(workers: Any, socket_path: Path) -> SharedHTTPServer:
    """A server that hands every request to the process behind this socket."""
    return SharedHTTPServer(Application([("/.*", Elsewhere, {"workers": lambda: workers, "socket_path": socket_path})]))


@asynccontextmanager
async def member(folder: Path, slot: int, server: SharedHTTPServer) -> AsyncIterator[WorkerGroup]:
    """A process of a server, which answers on the connections that it gets."""
    workers = WorkerGroup(RuntimeDir(folder), slot, 2, lambda session_id: False, server.arrive)
    await workers.open()
    yield workers
    await workers.close()
    await server.close_all_connections()


async def answers(first: bytes, more: bytes = b"", server: SharedHTTPServer | None = None) -> bytes:
    """All that is answered on a connection that was handed over with these bytes, and brings more of them."""
    server = server or SharedHTTPServer(Application([("/.*", Whose)]))
    ours, theirs = socket.socketpair()
    with closing(ours):
        ours.setblocking(False)
        ours.send(more) if more else None
        server.arrive(Message(WORDS, first), theirs)
        found, loop = b"", asyncio.get_running_loop()
        async with asyncio.timeout(5):
            while part := await loop.sock_recv(ours, 65536):
                found += part
    await server.close_all_connections()
    return found


@pytest.mark.parametrize("connection", ["keep-alive", "upgrade", "Upgrade, keep-alive", "close"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
async def test_one_request_is_answered_whatever_the_head_says(connection: str, version: str) -> None:
    request = f"GET / {version}\r\nHost: x\r\nConnection: {connection}\r\n\r\n".encode()
    for found in (await answers(request + request), await answers(request, more=request * 2)):
        assert found.count(b"HTTP/1.1 200") == 1
        assert found.endswith(b"\r\n\r\n192.0.2.1 alice None\n")
        assert b"Connection: close" in found or version == "HTTP/1.0"


async def test_a_large_rest_does_not_cost_the_answer() -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    assert (await answers(request, more=b"x" * 100_000)).endswith(b"192.0.2.1 alice None\n")


@pytest.mark.parametrize(
    "first", [b"\x00\x01\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n"]
)
async def test_what_is_no_request_is_refused_and_the_connection_closed(first: bytes) -> None:
    assert (await answers(first + b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


@asynccontextmanager
async def passing_on(folder: Path) -> AsyncIterator[SharedHTTPServer]:
    """A process that hands all over to another one."""
    last = SharedHTTPServer(Application([("/.*", Whose)]))
    async with member(folder, 1, last) as workers:
        yield serving(workers, workers.socket_path)


@pytest.mark.parametrize("connection", ["keep-alive", "upgrade", "close"])
async def test_a_request_that_is_handed_over_twice_is_answered_alone(connection: str, tmp_path: Path) -> None:
    request = f"GET / HTTP/1.1\r\nHost: x\r\nConnection: {connection}\r\nContent-Length: 3\r\n\r\nGET".encode()
    async with passing_on(tmp_path) as server:
        for found in (await answers(request * 2, b"", server), await answers(request, request * 2, server)):
            assert found.count(b"HTTP/1.1 200") == 1
            assert found.endswith(b"\r\n\r\n192.0.2.1 None None\n")  # the next process asks for itself who it is


async def test_a_head_of_the_largest_size_is_answered_when_it_was_handed_over(tmp_path: Path) -> None:
    lines = b"".join(b"a%d:b\r\n" % number for number in range(7000))
    request = b"GET / HTTP/1.1\r\nHost:x\r\n" + lines
    request += b"X:" + b"y" * (65536 - len(request) - 6) + b"\r\n\r\n"
    async with passing_on(tmp_path) as server:
        assert (await answers(request, b"", server)).endswith(b"192.0.2.1 None None\n")


@asynccontextmanager
async def gone(path: Path) -> AsyncIterator[list[int]]:
    """A process that ends before it reads what it is sent; how often it was reached."""
    reached: list[int] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.setblocking(False)

    async def end() -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(listener)
            ready = asyncio.Event()
            loop.add_reader(sock, ready.set)
            await ready.wait()  # what has come and was not read resets the connection
            loop.remove_reader(sock)
            reached.append(1)
            sock.close()

    ending = asyncio.create_task(end())
    yield reached
    ending.cancel()
    listener.close()


async def test_connection_whose_receiver_ends_is_looked_after_here(tmp_path: Path) -> None:
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    last = SharedHTTPServer(Application([("/.*", Whose)]))
    async with member(tmp_path, 1, last) as workers, gone(tmp_path / "s-gone") as reached:
        server = serving(workers, tmp_path / "s-gone")
        assert (await answers(request, b"", server)).endswith(b"192.0.2.1 None None\n")
        assert reached == [1]


@asynccontextmanager
async def reading(path: Path) -> AsyncIterator[None]:
    """A process that ends when it has read what it is sent."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)

        async def end() -> None:
            with await ipc.accept(listener, pytest.fail) as sock:
                message = await ipc.receive(sock)
            assert message.descriptor is not None
            os.close(message.descriptor)

        ending = asyncio.create_task(end())
        yield
        await ending


async def test_request_whose_receiver_ends_before_it_answers_comes_back_to_be_refused(tmp_path: Path) -> None:
    group: list[WorkerGroup] = []

    def workers() -> WorkerGroup:
        return group[0]

    server = SharedHTTPServer(Application([("/.*", Elsewhere, {"workers": workers, "socket_path": tmp_path / "s"})]))
    async with member(tmp_path, 1, server) as made, reading(tmp_path / "s"):
        group.append(made)
        found = await answers(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", server)
    assert found.startswith(b"HTTP/1.1 503 ")
    assert found.endswith(b"\r\n\r\nthe processes that were to answer have ended")


async def test_connection_that_nobody_takes_is_closed_with_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    runtime_dir = RuntimeDir(tmp_path)
    async with gone(tmp_path / "worker-0-1") as reached:
        workers = WorkerGroup(runtime_dir, 1, 2, lambda session_id: False, lambda message, sock: None)
        runtime_dir.give(0, tmp_path / "worker-0-1")
        server = serving(workers, runtime_dir.slot(0))
        assert await answers(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"", server) == b""
        assert len(reached) == 5
    assert caplog.messages == ["A connection could not be handed over to slot-0, and is closed"]
    assert not [str(each.message) for each in recwarn if each.category is ResourceWarning]


@pytest.mark.parametrize(
    ("user", "found"),
    [("ann", "ann"), ({"name": "ann"}, {"name": "ann"}), ((1, 2), None), ({1, 2}, None), (float("nan"), None)],
)
def test_user_travels_only_if_the_same_one_arrives(user: object, found: object) -> None:
    assert portable(user) == found


def test_tls_connections_are_relayed_whether_they_ask_once_or_stay(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    pem = tmp_path / "both.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pem)
    settings: dict[str, Any] = {"ssl_certfile": str(pem), "allow_websocket_origin": ("localhost",)}

    def fill(document: Any) -> None:
        document.add_root(Slider(name="slider", start=0, end=10, value=1))

    with (
        inside({"/app": fill}, membership=Membership(runtime_dir, 0, 2), **settings) as first,
        inside({"/app": fill}, membership=Membership(runtime_dir, 1, 2), **settings) as second,
    ):
        here, there = (Site(f"https://127.0.0.1:{each.server.port}") for each in (first, second))
        token = there.token("/app")
        answer = here.get("/app", **{"bokeh-token": token})
        assert answer.status == 200 and answer.token == token
        with here.client("/app", token, origin="https://localhost") as client:
            assert client.set("slider", "value", 4).msgtype == "OK"
            assert len(second.server.state.process.wires) == 1 and not first.server.state.process.wires
        (session,) = second.server.state.runtimes[0].registry
        assert session.document.get_model_by_name("slider").value == 4  # type: ignore[union-attr]
