"""Where a server may listen, whom it believes there, and how it refuses to start."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.protocol.conftest import Served, apps, serving
from tests.support.client import PATIENCE_S, Client, ask, open_socket
from tests.support.clients.secure import unverified
from tests.support.server import run_command, start_server, stop
from tests.support.waiting import patience

PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate for localhost, its key plain and locked with a password, and who signed it."""
    folder = tmp_path_factory.mktemp("certificate")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key = issued.private_key_pem.bytes()
    locked = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    files = {
        "chain": b"".join(blob.bytes() for blob in issued.cert_chain_pems),
        "key": key,
        "locked": locked,
        "authority": authority.cert_pem.bytes(),
        "nonsense": b"no certificate",
    }
    for name, content in files.items():
        (folder / f"{name}.pem").write_bytes(content)
    return {name: folder / f"{name}.pem" for name in files}


@pytest.fixture(scope="module")
def secure(certificate: dict[str, Path]) -> Iterator[Served]:
    """A server that speaks TLS, with a locked key, and believes what a proxy forwards."""
    flags = ["--ssl-certfile", certificate["chain"], "--ssl-keyfile", certificate["locked"], "--use-xheaders"]
    with serving(*apps("asking.py", "board.py"), *flags, env={"BOKEH_SSL_PASSWORD": PASSWORD}) as served:
        yield served


def test_tls_is_served_with_a_key_that_a_password_locks(secure: Served, certificate: dict[str, Path]) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate["authority"]))
    with secure.site.client("/board", ssl=trusting, origin=secure.process.url) as client:
        assert client.set("slider", "value", 9).msgtype == "OK"
        big = "x" * 300_000
        assert client.set("command", "value", f"answer:{big}").msgtype == "OK"
        assert client.value("answer", "text") == big
        client.set("command", "value", "flood:8000000")
        assert sum(len(payload) for message in client.pushed for _, payload in message.buffers) == 9_000_000


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ({"X-Real-Ip": "9.9.9.9", "X-Scheme": "https"}, ("9.9.9.9", "https")),
        ({"X-Forwarded-For": "8.8.8.8, 203.0.113.9:52044", "X-Forwarded-Proto": "HTTP"}, ("203.0.113.9", "http")),
        ({"X-Forwarded-For": "[2001:DB8::9]:52044"}, ("2001:db8::9", "https")),
        ({"X-Forwarded-For": "unknown"}, ("127.0.0.1", "https")),
    ],
)
def test_forwarded_headers_are_used_if_configured(
    secure: Served, forwarded: dict[str, str], expected: tuple[str, str]
) -> None:
    with secure.site.client("/asking", secure.site.get("/asking", headers=forwarded).token) as client:
        found = json.loads(client.value("seen", "text"))
    assert (found["remote_ip"], found["protocol"]) == expected


def test_forwarded_headers_are_those_of_one_request(secure: Served) -> None:
    connection = http.client.HTTPSConnection("localhost", secure.process.port, context=unverified())
    for forwarded, expected in (({"X-Real-Ip": "9.9.9.9:1"}, "9.9.9.9"), ({}, "127.0.0.1")):
        token = ask(connection, "/asking", headers=forwarded).token
        with secure.site.client("/asking", token) as client:
            assert json.loads(client.value("seen", "text"))["remote_ip"] == expected
    connection.close()


def test_unix_socket_is_served_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    process = start_server(*apps("board.py"), "--unix-socket", path)
    try:
        deadline_s = time.monotonic() + patience(PATIENCE_S)
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as knocking:
                    knocking.connect(str(path))
                    knocking.sendall(b"GET /board HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    page = b"".join(iter(lambda: knocking.recv(65536), b""))
                break
            except OSError:
                assert time.monotonic() < deadline_s and process.poll() is None
                time.sleep(0.01)
        assert page.startswith(b"HTTP/1.1 200")
        token = page.partition(b'"token":"')[2].partition(b'"')[0].decode()
        with open_socket("http://localhost", "/board", token, unix_path=str(path)) as opened:
            client = Client(opened)
            assert client.receive().msgtype == "ACK"
            client.pull()
            client.set("slider", "value", 5)
            assert client.value("double", "value") == 10
        assert stop(process) == 0
        assert not path.exists()
    finally:
        stop(process)


def test_unix_socket_with_a_listener_is_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert f"--unix-socket: {path} is in use" in refusal(*apps("board.py"), "--unix-socket", path)
        assert path.exists()


def refusal(*words: str | Path, **more: str) -> str:
    """The one line with which a server refuses to start."""
    ended = run_command("serve", *words, env=more)
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    assert ended.returncode not in (0, None)
    assert len(lines) == 1, lines
    return lines[0]


def test_port_in_use_is_one_line(plain: Served) -> None:
    line = refusal(*apps("board.py"), "--port", str(plain.process.port), "--address", "127.0.0.1")
    assert f"port {plain.process.port} is in use" in line


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    assert "nowhere.py" in refusal(tmp_path / "nowhere.py", "--port", "0")


def test_folder_without_main_is_one_line(tmp_path: Path) -> None:
    line = refusal(tmp_path, "--port", "0")
    assert str(tmp_path) in line and "main.py" in line


def test_script_that_does_not_parse_is_one_line_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ny = = 2\n")
    assert "broken.py:2" in refusal(tmp_path / "broken.py", "--port", "0")


@pytest.mark.parametrize("fault", ["nonsense", "missing", "no password", "wrong password"])
def test_certificate_that_cannot_be_used_is_one_line(certificate: dict[str, Path], fault: str) -> None:
    chain = {"nonsense": certificate["nonsense"], "missing": Path("/nowhere/chain.pem")}.get(
        fault, certificate["chain"]
    )
    key = certificate["locked" if "password" in fault else "key"]
    password = {"BOKEH_SSL_PASSWORD": "wrong"} if fault == "wrong password" else {}
    line = refusal(*apps("board.py"), "--port", "0", "--ssl-certfile", chain, "--ssl-keyfile", key, **password)
    assert "certificate" in line or str(chain) in line


def test_wrong_flag_value_is_reported_with_the_flag() -> None:
    ended = run_command("serve", *apps("board.py"), "--port", "many")
    assert ended.returncode != 0 and "--port" in ended.stderr and "Traceback" not in ended.stderr


def test_status_says_whether_starting_again_may_help(tmp_path: Path, certificate: dict[str, Path]) -> None:
    app, nonsense = apps("board.py")[0], certificate["nonsense"]
    (tmp_path / "healthz.py").touch()
    with socket.create_server(("127.0.0.1", 0)) as other:
        busy = ["--address", "127.0.0.1", "--port", str(other.getsockname()[1])]
        for words, status in (
            ([tmp_path / "missing.py"], 2),
            ([tmp_path / "healthz.py", "--port", "0"], 2),
            ([app, "--ssl-certfile", nonsense, "--port", "0"], 2),
            ([app, "--ssl-certfile", tmp_path / "no.pem"], 2),
            ([app, *busy], 1),
        ):
            ended = run_command("serve", *words)
            assert (ended.returncode, len(ended.stderr.splitlines())) == (status, 1), ended.stderr
