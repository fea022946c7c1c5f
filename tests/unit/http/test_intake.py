"""How large a body each handler may get, and how long a request may take to come."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.iostream import IOStream
from tornado.web import RequestHandler

from app_server.apps import application_from_function
from app_server.http.intake import close_gently
from app_server.server.server import Server
from app_server.settings import Settings
from tests.support.client import PATIENCE_S
from tests.support.servers.inside import Inside, inside
from tests.support.waiting import patience, until

HOOKS = """
from tornado.web import RequestHandler
def get_user(request): return None
login_url = "/sign-in"
class LoginHandler(RequestHandler): pass
"""


class Upload(RequestHandler):
    """A handler of the program that holds the server."""


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def limit(server: Server, path: str) -> int | None:
    start_line = RequestStartLine("POST", path, "HTTP/1.1")
    return server.largest_body(HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": "localhost"})))


def test_bodies_are_limited_by_what_the_address_takes(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    users, hooks = tmp_path / "users", tmp_path / "hooks.py"
    users.touch(0o600)
    hooks.write_text(HOOKS, encoding="utf-8")
    applications = {"/app": application_from_function(lambda document: None)}

    def serving(**settings: Any) -> Server:
        return Server(applications, Settings(**settings), loop, extra_patterns=[(r"/upload", Upload)])

    with_form = serving(basic_auth=str(users), cookie_secret="s" * 40, metrics=True)
    for path in ("/app", "/app/ws", "/app/autoload.js", "/static/js/bokeh.js", "/healthz", "/metrics", "/", "/nowhere"):
        assert limit(with_form, path) == 8192
    assert limit(with_form, "/login") == limit(with_form, "/%6cogin") == limit(with_form, "/logout") == 65536
    assert limit(with_form, "/upload") is None
    assert limit(serving(auth_module=str(hooks)), "/sign-in") == 1024 * 1024


# What becomes of it


def fill(document: Any) -> None:
    """Nothing."""


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """A server behind a proxy that it believes."""
    with inside({"/app": fill}, use_xheaders=True) as served:
        yield served


@pytest.fixture(scope="module")
def hasty() -> Iterator[Inside]:
    """A server that waits for nobody for long."""
    short_s = patience(0.3)  # and long enough for a busy machine to send a request
    with inside({"/app": fill}, request_timeout_s=short_s, idle_timeout_s=short_s) as served:
        yield served


def answers_to(state: Inside, *parts: bytes) -> bytes:
    """All that is answered on a connection on which these bytes come, until the server closes it."""
    with socket.create_connection(("127.0.0.1", state.server.port or 0), PATIENCE_S) as sock:
        for part in parts:
            sock.sendall(part)
        found = b""
        while data := sock.recv(65536):
            found += data
    state.call(lambda: None)
    return found


def post(*headers: str) -> bytes:
    """The head of a request with a body."""
    return "\r\n".join(["POST /app?secret HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize(
    "request_",
    [
        post("Content-Length: 8193"),
        post("Content-Length: " + "9" * 5000),
        post("Content-Length: 0008193"),
        post("Transfer-Encoding: chunked") + b"2000\r\n" + b"x" * 8192 + b"\r\n1\r\nx\r\n",
        post("Transfer-Encoding: chunked") + b"4000\r\n" + b"x" * 16384 + b"\r\n0\r\n\r\n",
    ],
)
def test_body_that_is_too_large_is_refused_while_it_comes(
    state: Inside, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    before = state.server.state.process.gauges.answers.copy()
    found = answers_to(state, request_)
    assert found.count(b"HTTP/1.1 ") == 1
    assert found.startswith(b"HTTP/1.1 413 ") and b"The request is too large" in found
    assert b"Connection: close\r\n" in found
    assert caplog.messages == ["413 POST /app: a body may have 8192 bytes there"]
    assert sum((state.server.state.process.gauges.answers - before).values()) == 1


def test_body_of_the_largest_size_reaches_its_handler(state: Inside) -> None:
    found = answers_to(state, post("Content-Length: 8192", "Connection: close") + b"x" * 8192)
    assert found.startswith(b"HTTP/1.1 405 ")


def test_client_that_goes_before_its_body_is_whole_is_no_fault(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    for head in (post("Content-Length: 100"), post("Transfer-Encoding: chunked") + b"4000\r\n" + b"x" * 9000):
        with socket.create_connection(("127.0.0.1", state.server.port or 0)) as sock:
            sock.sendall(head)
    state.get("/healthz")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", b""),
        (b"GET / HT", b"HTTP/1.1 408 Request Timeout\r\n"),
        (post("Content-Length: 10") + b"x", b"HTTP/1.1 408 Request Timeout\r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET", b"HTTP/1.1 200 OK\r\n"),
    ],
)
def test_request_that_does_not_come_in_time_ends_its_connection(hasty: Inside, sent: bytes, answer: bytes) -> None:
    found = answers_to(hasty, sent)
    assert found.startswith(answer) if answer else not found
    assert found.count(b"HTTP/1.1 408") == (0 if not sent else 1)


def test_kept_connection_on_which_nothing_comes_is_closed_without_a_word(hasty: Inside) -> None:
    found = answers_to(hasty, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert found.count(b"HTTP/1.1 ") == 1


def test_client_that_takes_no_answer_is_let_go(hasty: Inside) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.settimeout(PATIENCE_S)
        sock.connect(("127.0.0.1", hasty.server.port))
        sock.sendall(b"GET /static/js/bokeh.js HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        until(lambda: hasty.call(lambda: len(hasty.server._http._exchanges)))
        until(lambda: not hasty.call(lambda: len(hasty.server._http._exchanges)))
        found = 0
        with suppress(ConnectionResetError):
            while data := sock.recv(2**20):
                found += len(data)
    assert 0 < found < 20_000_000


def test_client_is_the_one_that_the_proxy_names_for_one_request_only(
    state: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    named = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7:4242\r\nX-Forwarded-Proto: https\r\n\r\n"
    plain = b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert answers_to(state, named + plain).count(b"HTTP/1.1 404") == 2
    assert ["192.0.2.7" in text for text in caplog.messages] == [True, False]


async def test_connection_is_closed_when_its_client_has_read_the_answer() -> None:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    stream = IOStream(ours)
    await stream.write(b"the last answer")
    closing = asyncio.ensure_future(close_gently(stream))
    theirs.send(b"what nobody wants")
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(theirs, 100) == b"the last answer"
    assert await loop.sock_recv(theirs, 100) == b"" and not closing.done()
    theirs.close()
    await closing
    await close_gently(stream)
    assert stream.closed()
