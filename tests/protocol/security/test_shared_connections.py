"""One connection, requests of several people: a proxy shares its connections among all, and may hold them open."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import trustme

from tests.protocol.conftest import Served, apps, serving
from tests.protocol.processes.test_gunicorn import gunicorn
from tests.support.client import PATIENCE_S
from tests.support.clients.fuzzed import Case, case
from tests.support.clients.raw import Raw, handshake_headers, head, session_of
from tests.support.waiting import patience, until

MODES = {
    "one": [],
    "several": ["--num-procs", "3"],
    "gunicorn": ["--workers", "3", "--graceful-timeout", "1"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot", "--num-procs", "2"],
    "tls": ["--isolation", "process"],
}
APART = ("process", "snapshot", "tls")
"""Where no process that takes connections has a session itself."""

HEADERS = {
    "upgrade": {"Connection": "upgrade"},
    "as nginx sends it": {"Connection": "upgrade", "Upgrade": "anything"},
    "keep-alive": {"Connection": "keep-alive, Upgrade"},
    "no version": {**handshake_headers(), "Sec-WebSocket-Version": ""},
    "short key": {**handshake_headers(), "Sec-WebSocket-Key": "c2hvcnQ="},
    "a whole handshake": handshake_headers(),
}


def tls_flags(folder: Path) -> list[str]:
    """The flags for TLS with a certificate for localhost, which is written into this folder."""
    file = folder / "certificate-and-key.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(file)
    return ["--ssl-certfile", str(file), "--ssl-keyfile", str(file)]


@pytest.fixture(scope="module", params=list(MODES))
def mode(request: pytest.FixtureRequest) -> str:
    """How the processes are set up."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its folder `run`."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def served(mode: str, folder: Path) -> Iterator[Served]:
    """An application whose sessions live in several processes, and end soon."""
    flags = [*MODES[mode], *(tls_flags(folder) if mode == "tls" else [])]
    if mode == "gunicorn":
        keywords = ", unused_session_lifetime_milliseconds=1500, check_unused_sessions_milliseconds=100"
        starting = gunicorn(folder, *flags, name="whose.py", keywords=keywords)
    else:
        flags += ["--unused-session-lifetime", "1500", "--check-unused-sessions", "100"]
        environ = {"APP_SERVER_RUNTIME_DIR": str(folder / "run")}
        starting = serving(*apps("whose.py"), *flags, env=environ, measured=False)
    with starting as served:
        yield served


@pytest.fixture(scope="module")
def token(served: Served) -> Iterator[str]:
    """The token of a session that lives, and whose owner looks at it."""
    token = served.site.token("/whose")
    with served.site.client("/whose", token):
        yield token


def connections(served: Served) -> int:
    """How many connections of clients the server's processes hold."""
    count = 0
    main = psutil.Process(served.process.process.pid)
    for process in (main, *main.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            found = process.net_connections("tcp")
            count += sum(each.laddr.port == served.process.port and each.status != "LISTEN" for each in found)
    return count


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_who_asks_next_on_a_connection_gets_no_session_of_others(
    served: Served, mode: str, token: str, headers: dict[str, str]
) -> None:
    for _ in range(1 if mode in APART else 3):  # one of three has the session, and any takes the connection
        with Raw(served.site.url) as shared:
            first = shared.ask(f"/whose?bokeh-token={token}", headers)
            assert first is not None and first.status == 200
            assert session_of(first.token) == session_of(token)
            second = shared.ask("/whose")
            if mode in APART:
                assert first.headers["connection"] == "close"
            if first.headers.get("connection") == "close":
                assert second is None
            else:
                assert second is not None and session_of(second.token) != session_of(token)


@pytest.mark.parametrize("headers", [{}, *HEADERS.values()], ids=["plain", *HEADERS])
def test_what_is_sent_behind_a_request_is_never_answered_by_its_session(
    served: Served, token: str, headers: dict[str, str]
) -> None:
    host = {"Host": Raw(served.site.url).host}
    for _ in range(3):
        with Raw(served.site.url) as shared:
            mine, others = f"/whose?bokeh-token={token}", head("/whose", host)
            shared.send(head(mine, {**host, **headers}) + others * 2)
            first = shared.answer()
            assert first is not None and first.status == 200
            assert session_of(first.token) == session_of(token)
            if first.headers.get("connection") == "close":
                assert shared.rest() == b""
            else:
                second = shared.answer()
                assert second is not None and session_of(second.token) != session_of(token)


def test_a_socket_that_is_refused_leaves_no_connection_to_its_session(served: Served, token: str) -> None:
    host = {"Host": Raw(served.site.url).host}
    bad = {**handshake_headers(token), "Sec-WebSocket-Protocol": f"other, {token}"}
    for headers in (bad, {**handshake_headers(token), "Origin": "http://evil.example"}):
        for _ in range(3):
            with Raw(served.site.url) as shared:
                shared.send(head("/whose/ws", {**host, **headers}))
                refused = shared.answer()
                assert refused is not None and refused.status == 403
                second = shared.ask("/whose")
                assert second is None or session_of(second.token) != session_of(token)
                assert (second is None) == (refused.headers.get("connection") == "close")


def test_what_came_early_behind_a_handshake_belongs_to_the_socket(served: Served, token: str) -> None:
    host = {"Host": Raw(served.site.url).host}
    with Raw(served.site.url) as shared:
        shared.send(head("/whose/ws", {**host, **handshake_headers(token)}) + head("/whose", host))
        opened = shared.answer()
        assert opened is not None and opened.status == 101
        rest = shared.rest()  # a request is no frame, and the socket says so and closes
        assert b"HTTP/1.1" not in rest
        assert b"token" not in rest


@pytest.mark.parametrize(
    "headers",
    [{"Connection": "close"}, {"Connection": "keep-alive"}, {"Upgrade": "h2c"}, {"Sec-WebSocket-Key": "c2hvcnQ="}],
)
def test_request_that_is_not_a_handshake_opens_no_socket(served: Served, token: str, headers: dict[str, str]) -> None:
    with Raw(served.site.url) as shared:
        answer = shared.ask("/whose/ws", {**handshake_headers(token), **headers})
        assert answer is not None and answer.status == 400


def test_who_vanishes_after_asking_for_a_socket_leaves_no_line_in_the_log(
    served: Served, mode: str, token: str
) -> None:
    before, tokens = served.log_size(), [token] * 50 + [served.site.token("/whose") for _ in range(5)] * 2
    for named in tokens:
        with Raw(served.site.url) as shared:
            shared.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            shared.send(head("/whose/ws", {"Host": shared.host, **handshake_headers(named)}))
    with served.site.client("/whose", token) as client:
        client.set("field", "value", "on")
    until(lambda: connections(served) == 1)  # that of the token's owner
    lines = served.log_since(before).splitlines()
    # What the server says of its own start, or of what was refused before, may come late.
    assert [line for line in lines if "INFO" not in line and " 400 GET " not in line] == []


@pytest.mark.parametrize("isolation", ["process", "snapshot"])
def test_a_user_is_known_for_one_request(isolation: str, tmp_path: Path) -> None:
    module = tmp_path / "by_name.py"
    module.write_text(
        "async def get_user_async(handler):\n    return handler.request.headers.get('Name')\nlogin_url = '/nowhere'\n"
    )
    flags = ["--isolation", isolation, "--auth-module", str(module)]
    with serving(*apps("whose.py"), *flags) as served, Raw(served.site.url) as shared:
        page = served.site.get("/whose", headers={"Name": "alice"})
        with served.site.client("/whose", page.token, additional_headers={"Name": "alice"}):
            first = shared.ask(f"/whose?bokeh-token={page.token}", {"Name": "alice", "Connection": "upgrade"})
            assert first is not None and first.status == 200
            assert first.headers["connection"] == "close"
            assert shared.ask(f"/whose?bokeh-token={page.token}") is None
            with Raw(served.site.url) as other:
                refused = other.ask(f"/whose?bokeh-token={page.token}", {"Connection": "upgrade"})
                assert refused is not None and refused.status == 302


BODIES = {
    "length": (["Content-Length: 40"], b"GET /whose HTTP/1.1\r\nHost: localhost\r\n\r\n\n"),
    "chunked": (["Transfer-Encoding: chunked"], b"12\r\nGET /whose HTTP/1.\r\n5\r\n1\r\n\r\n\r\n0\r\n\r\n"),
    "none, though announced": (["Content-Length: 0"], b""),
    "form": (["Content-Length: 9", "Content-Type: application/x-www-form-urlencoded"], b"who=smith"),
    "asked for": (["Content-Length: 9", "Expect: 100-continue"], b"who=smith"),
    "twice the same length": (["Content-Length: 4, 4"], b"body"),
}


@pytest.mark.parametrize(("lines", "body"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_body_is_never_taken_for_a_request_nor_a_request_for_a_body(
    served: Served, mode: str, token: str, method: str, lines: list[str], body: bytes
) -> None:
    for target in (f"/whose?bokeh-token={token}", "/whose"):
        for _ in range(1 if mode in APART else 2):
            with Raw(served.site.url) as shared:
                words = [f"{method} {target} HTTP/1.1", f"Host: {shared.host}", *lines, "", ""]
                shared.send("\r\n".join(words).encode() + body)
                first = shared.answer(method)
                assert first is not None and first.status == (405 if method == "POST" else 200)
                second = shared.ask("/whose?who=next")
                if first.headers.get("connection") == "close":
                    assert second is None
                else:
                    assert second is not None and session_of(second.token) != session_of(token)
                    assert shared.ask("/healthz") is not None or second.headers["connection"] == "close"


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 4", "Transfer-Encoding: chunked"], ["Content-Length: 4", "Content-Length: 5"],
        ["Content-Length: -4"], ["Content-Length: 0x4"], ["Content-Length: +4"], ["Content-Length: 4 4"],
        ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding: identity"], ["Content-Length: four"],
        ["Content-Length: 99999999999999999999"],
    ],
)  # fmt: skip
def test_a_body_of_unknown_length_is_refused_and_the_connection_closed(
    served: Served, token: str, lines: list[str]
) -> None:
    with Raw(served.site.url) as shared:
        words = [f"GET /whose?bokeh-token={token} HTTP/1.1", f"Host: {shared.host}", *lines, "", ""]
        shared.send("\r\n".join(words).encode() + b"0\r\n\r\n" + head("/whose", {"Host": shared.host}) * 2)
        answer = shared.answer()
        assert answer is None or 400 <= answer.status < 500
        assert shared.rest() == b""


def test_a_large_body_is_refused_before_the_request_is_handed_over(served: Served, token: str) -> None:
    with Raw(served.site.url) as shared:
        size = 1024 * 1024 + 1
        words = [f"GET /whose?bokeh-token={token} HTTP/1.1", f"Host: {shared.host}", f"Content-Length: {size}", "", ""]
        shared.send("\r\n".join(words).encode() + b"x" * size)
        refused = shared.answer()
        assert refused is not None and refused.status == 413
        answer = shared.ask("/healthz")
        assert (answer is None) == (refused.headers.get("connection") == "close")  # in step otherwise


def test_a_handshake_with_a_body_is_refused(served: Served, token: str) -> None:
    with Raw(served.site.url) as shared:
        shared.send(
            head("/whose/ws", {"Host": shared.host, **handshake_headers(token), "Content-Length": "4"}) + b"body"
        )
        refused = shared.answer()
        assert refused is not None and refused.status == 400
        assert shared.ask("/healthz") is not None


CASES = 150
SPARE_BYTES = 40_000_000


@dataclass(frozen=True)
class Resources:
    """What a server with one session holds: processes, their descriptors, files in the server's folder, memory."""

    processes: int
    descriptors: int
    files: int
    memory_bytes: int = field(compare=False)

    @classmethod
    def of(cls, served: Served, run: Path) -> Resources:
        """What it holds now; sessions' own descriptors and memory are theirs."""
        main = psutil.Process(served.process.process.pid)
        lasting = [main, *main.children()]
        return cls(
            len(main.children(recursive=True)), sum(each.num_fds() for each in lasting),
            len(list((run / str(main.pid)).iterdir())), sum(each.memory_info().rss for each in lasting),
        )  # fmt: skip


def try_case(served: Served, tried: Case, token: str) -> None:
    """Send what no one should send, and look at the answers."""
    with Raw(served.site.url) as shared:
        for piece in tried.pieces:
            shared.send(piece)
        if tried.end == "resets":
            shared.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if tried.end != "waits":
            return
        shared.sock.settimeout(0.05)  # the rest of a request may be waited for
        with suppress(TimeoutError):
            shared.received += shared.rest()
        shared.sock.settimeout(patience(PATIENCE_S))
        with suppress(OSError):
            shared.sock.shutdown(socket.SHUT_WR)
        answered = shared.rest()
    for status in re.findall(rb"^HTTP/1\.[01] (\d+) ", answered, re.MULTILINE):
        assert int(status) < 500, (tried, answered)
    if not tried.names_a_session:
        assert session_of(token).encode() not in answered, (tried, answered)


def test_malformed_requests_do_no_harm_and_leave_nothing_behind(
    served: Served, mode: str, token: str, folder: Path
) -> None:
    start, names = served.log_size(), ("/whose", "/healthz", "/whose/autoload.js?bokeh-autoload-element=x")
    run = folder / "run" / str(served.process.process.pid)

    def settled() -> Resources:
        """What the server holds when all has ended but the session of the token."""
        until(lambda: len([path for path in run.glob("s-*") if not path.suffix]) == (mode in APART))
        until(lambda: connections(served) == 1)
        return Resources.of(served, run.parent)

    for name in names * 4:  # what is made once for each process
        assert served.site.get(name).status == 200
    for seed in range(1, 20):
        try_case(served, case(-seed, token), token)
    before = settled()
    for seed in range(CASES):
        try_case(served, case(seed, token), token)
    for name in names:
        assert served.site.get(name).status == 200
    log = served.log_since(start)
    for bad in ("Traceback", "fault of the server", "smuggled", "Uncaught"):
        assert bad not in log, log[max(0, log.index(bad) - 3000) :][:6000]
    with suppress(AssertionError):
        until(lambda: settled() == before)
    after = settled()
    assert after == before
    assert after.memory_bytes < before.memory_bytes + SPARE_BYTES
