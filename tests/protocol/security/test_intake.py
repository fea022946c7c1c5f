"""Clients that are slow, silent, or send too much; and a server without descriptors."""

from __future__ import annotations

import resource
import socket
import ssl
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trustme

from tests.protocol.conftest import Served, apps, serving
from tests.support.client import fetch
from tests.support.clients.secure import unverified
from tests.support.ports import free_port
from tests.support.server import running_process, start_server
from tests.support.waiting import PATIENCE_S, patience, until

IDLE_S = 0.6
IMPATIENT = ("--request-timeout", "0.4", "--idle-timeout", str(IDLE_S))
HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("impatient")
    (folder / "big.py").write_text(
        "from bokeh.plotting import curdoc\n"
        "curdoc().template_variables['filler'] = 'x' * 8_000_000\n"
        "curdoc().template = '{% block contents %}{{ filler }}{% endblock %}'\n"
    )
    with serving(*apps("board.py"), folder / "big.py", *IMPATIENT) as served:
        yield served


def connected(served: Served, *, buffer_bytes: int | None = None) -> socket.socket:
    sock = socket.socket()
    if buffer_bytes is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    sock.settimeout(10)
    sock.connect(("127.0.0.1", served.process.port))
    return sock


def rest(sock: socket.socket) -> bytes:
    """What comes until the server ends the connection."""
    found = b""
    try:
        while part := sock.recv(65536):
            found += part
    except ConnectionResetError:
        pass
    return found


POST = HEAD.replace(b"GET", b"POST")


@pytest.mark.parametrize(
    "sent",
    [
        b"G",
        HEAD,
        b"\r\n",
        POST + b"Content-Length: 9\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc",
    ],
)
def test_request_that_never_ends_is_answered_408(impatient: Served, sent: bytes) -> None:
    with connected(impatient) as sock:
        sock.sendall(sent)
        answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"Connection: close\r\n" in answer


def test_head_that_trickles_is_answered_408(impatient: Served) -> None:
    with connected(impatient) as sock:
        begun_s = time.monotonic()
        try:
            for byte in b"X-Slow: " + b"y" * 200:
                sock.sendall(HEAD if byte == ord("X") else bytes([byte]))
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - begun_s < 3


def test_silent_connection_is_closed_without_a_word(impatient: Served) -> None:
    with connected(impatient) as sock:
        assert rest(sock) == b""


def test_connection_is_kept_for_a_while_between_requests(impatient: Served) -> None:
    until(lambda: is_kept_between_requests(impatient), "three requests were in time")


def is_kept_between_requests(served: Served) -> bool:
    """Whether three requests with pauses in between were in time; then the server must have kept their connection."""
    with connected(served) as sock:
        before_s = time.monotonic()
        for _ in range(3):
            asked_s = time.monotonic()
            answer = answer_on(sock)
            if not answer and time.monotonic() - before_s > IDLE_S:
                return False  # this end was late itself
            assert answer.startswith(b"HTTP/1.1 200")
            before_s = asked_s
            time.sleep(0.45)
        begun_s = time.monotonic()
        assert rest(sock) == b""
        assert time.monotonic() - begun_s < 5
    return True


def answer_on(sock: socket.socket) -> bytes:
    """The answer to a request on this connection; nothing if the server has ended it."""
    try:
        sock.sendall(HEAD + b"\r\n")
        return sock.recv(65536)
    except ConnectionError:
        return b""


@pytest.mark.parametrize("path", ["/big", "/static/js/bokeh.js"])
def test_client_that_does_not_read_is_left(impatient: Served, path: str) -> None:
    with connected(impatient, buffer_bytes=4096) as sock:
        # More than the system keeps for a connection.
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 3)
        process = psutil.Process(impatient.process.process.pid)
        own_port = sock.getsockname()[1]
        deadline_s = time.monotonic() + 10
        while any(one.raddr and one.raddr.port == own_port and one.status == "ESTABLISHED"
                  for one in process.net_connections("tcp")):  # fmt: skip
            assert time.monotonic() < deadline_s, "the connection is still open"
            time.sleep(0.01)


def test_websocket_stays_open_however_long_it_is_silent(impatient: Served) -> None:
    with impatient.site.client("/board") as client:
        time.sleep(1.5)
        assert client.pull().msgtype == "PULL-DOC-REPLY"


@pytest.mark.parametrize("path", ["/healthz", "/board", "/board/ws", "/static/js/bokeh.js", "/nowhere", "/"])
@pytest.mark.parametrize("framing", ["Content-Length: 99000000", "Transfer-Encoding: chunked",
                                     "Expect: 100-continue\r\nContent-Length: 99000000"])  # fmt: skip
def test_large_body_is_refused_before_it_is_kept(impatient: Served, path: str, framing: str) -> None:
    with connected(impatient) as sock:
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
        if "Expect" not in framing:
            body = b"%x\r\n%s\r\n" % (65536, b"x" * 65536)
            try:
                for _ in range(64):
                    sock.sendall(body)
            except (BrokenPipeError, ConnectionResetError):
                pass
        answer = rest(sock)
    assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert answer.count(b"HTTP/1.1") == 1
    assert psutil.Process(impatient.process.process.pid).memory_info().rss < 600e6


def test_small_body_is_read_past(impatient: Served) -> None:
    with connected(impatient) as sock:
        sock.sendall(b"POST /board HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000\r\n\r\n" + b"x" * 8000)
        assert sock.recv(65536).startswith(b"HTTP/1.1 405")


def test_handshake_of_tls_that_never_ends_is_over(tmp_path: Path) -> None:
    certificate = tmp_path / "site.pem"
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
    with serving(*apps("board.py"), *IMPATIENT, "--ssl-certfile", certificate) as served:
        with connected(served) as sock:
            sock.sendall(b"\x16\x03\x01\x02\x00")
            assert rest(sock) == b""
        with unverified().wrap_socket(connected(served), server_hostname="localhost") as tls:
            tls.sendall(HEAD)
            assert rest(tls).startswith(b"HTTP/1.1 408")
        with unverified().wrap_socket(connected(served), server_hostname="localhost") as tls:
            tls.sendall(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99000000\r\n\r\n")
            try:
                assert rest(tls).startswith(b"HTTP/1.1 413")
            except ssl.SSLEOFError:
                pytest.fail("the answer was lost")


@pytest.mark.parametrize("flags", [(), ("--num-procs", "2"), ("--isolation", "process")])
def test_limits_hold_on_a_unix_socket_in_every_mode(tmp_path: Path, flags: tuple[str, ...]) -> None:
    path = str(tmp_path / "s")
    process = start_server(*apps("board.py"), "--unix-socket", path, *IMPATIENT, *flags)
    try:
        deadline_s = time.monotonic() + patience(30)
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.settimeout(10)
                    sock.connect(path)
                    sock.sendall(HEAD)
                    assert rest(sock).startswith(b"HTTP/1.1 408")
                    break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
    finally:
        process.terminate()
        process.wait(patience(PATIENCE_S))


def test_server_without_descriptors_waits_for_some(tmp_path: Path) -> None:
    port = free_port()
    serve = f"exec {sys.executable} -m app_server serve {apps('board.py')[0]} --address 127.0.0.1 --port {port}"
    command = ["bash", "-c", f"ulimit -n 128; {serve} --request-timeout 1.5"]
    with running_process(command, f"http://localhost:{port}") as running:
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for sock in slow:
            sock.sendall(HEAD)
        process = psutil.Process(running.process.pid)
        running.wait_for_log("Out of file descriptors")
        busy_s, begun_s = sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(0.7)
        assert sum(process.cpu_times()[:2]) - busy_s < 0.5 * (time.monotonic() - begun_s)
        assert fetch(f"{running.url}/healthz", timeout_s=30).status == 200  # the slow ones have made room
        for sock in slow:
            sock.close()
        log = running.log_text()
    assert log.count("Out of file descriptors") == 1
    assert "Traceback" not in log and len(log) < 20_000


def test_soft_limit_is_raised_in_every_process(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65536) if hard != resource.RLIM_INFINITY else 65536
    port = free_port()
    serve = f"exec {sys.executable} -m app_server serve {apps('board.py')[0]} --address 127.0.0.1 --port {port}"
    command = ["bash", "-c", f"ulimit -Sn 200; {serve} --num-procs 2 --isolation process"]
    with running_process(command, f"http://localhost:{port}") as running:
        assert fetch(f"{running.url}/board").status == 200
        main = psutil.Process(running.process.pid)
        for process in (main, *main.children(recursive=True)):
            assert process.rlimit(psutil.RLIMIT_NOFILE)[0] == wanted


LEFT = ["/board", "/board/autoload.js?bokeh-autoload-element=x", "/board/metadata", "/", "/static/js/bokeh.js",
        "/metrics", "/login", "/big", "/board/ws", "/favicon.ico", "/nowhere"]  # fmt: skip


def test_browser_that_leaves_is_one_line_at_most(tmp_path: Path) -> None:
    film = tmp_path / "folder" / "static"
    film.mkdir(parents=True)
    (film.parent / "main.py").write_text("")
    (film / "film.mp4").write_bytes(bytes(20_000_000))
    flags = ("--metrics", "--log-level", "debug")
    with serving(*apps("board.py"), film.parent, *flags) as served:
        start = served.log_size()
        for path in [*LEFT, "/folder/static/film.mp4"]:
            for sent in (0, 1000):
                with connected(served, buffer_bytes=4096) as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    if sent:
                        sock.recv(sent)
        assert served.site.get("/board").status == 200
        served.process.wait_for_log("the client left before the answer was complete")
        log = served.log_since(start)
    assert "Traceback" not in log and "ERROR" not in log and "Uncaught" not in log, log


@pytest.mark.parametrize("length", ["9" * 5000, "0" * 5000 + "9000000"], ids=["many digits", "many zeros"])
def test_length_of_any_number_of_digits_is_read(impatient: Served, length: str) -> None:
    begin = impatient.log_size()
    with connected(impatient) as sock:
        sock.sendall(POST + f"Content-Length: {length}\r\n\r\n".encode())
        assert rest(sock).startswith(b"HTTP/1.1 413 ")
    assert impatient.tracebacks_since(begin) == []


def test_log_shows_the_beginning_of_a_path_in_one_printable_line(impatient: Served) -> None:
    begin = impatient.log_size()
    with connected(impatient) as sock:
        path = b"/nowhere\x9b31m\x85" + b"a" * 50_000
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert rest(sock).startswith(b"HTTP/1.1 404 ")
    until(lambda: impatient.log_since(begin).endswith("\n"))
    line = impatient.log_since(begin).rstrip("\n")
    assert r"404 GET /nowhere\x9b31m\x85aaa" in line
    assert line.isprintable() and len(line) < 700
