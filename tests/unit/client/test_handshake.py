"""How a client opens a WebSocket, byte for byte, and what it says if there is none."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from app_server.client.address import parse_address
from app_server.client.errors import CannotConnect, Refused
from app_server.client.handshake import shake_hands
from app_server.client.opening import Identity, Opening, Signer
from app_server.protocol.websocket import accept_key
from app_server.version import __version__
from tests.support.short_paths import tmp_path

__all__ = ["tmp_path"]

PATH = "/app"
CLOSED = "the answer is not from a server for Bokeh applications: "


def opening(port: int = 1, url: str = "", **options: Any) -> Opening:
    """What a program says of itself that has a token already."""
    options.setdefault("timeout_s", 5.0)
    address = parse_address(url or f"http://127.0.0.1:{port}{PATH}")
    return Opening(address, Identity("abc", Signer(), "to.ken"), **options)


class Peer:
    """A server that answers each request with `answer`, in which KEY stands for the right key, and keeps the heads."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[list[str]] = []
        self.port = 0

    async def serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        lines = (await incoming.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        self.heads.append(lines)
        key = next(line.partition(": ")[2] for line in lines if line.startswith("Sec-WebSocket-Key: "))
        outgoing.write(self.answer.replace(b"KEY", accept_key(key).encode()))
        await outgoing.drain()
        outgoing.close()


@asynccontextmanager
async def peer(answer: bytes, **options: Any) -> AsyncIterator[Peer]:
    made = Peer(answer)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0, **options) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: KEY\r\n\r\n"
)


async def test_what_follows_the_answer_is_left_over() -> None:
    async with peer(ACCEPTED + b"\x81\x02{}") as server:
        opened = await shake_hands(opening(server.port), 0.0)
        assert opened.left_over == b"\x81\x02{}" and not opened.stream.closed()
        opened.stream.close()


async def test_answers_that_only_inform_are_passed_over() -> None:
    async with peer(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ACCEPTED) as server:
        opened = await shake_hands(opening(server.port), 0.0)
        opened.stream.close()


async def test_request_is_that_of_the_rfc() -> None:
    async with peer(ACCEPTED) as server:
        url = f"http://127.0.0.1:{server.port}/app?a=1&b=%20"
        opened = await shake_hands(opening(url=url, headers={"Cookie": "a=b", "X-Name": "\xe4"}), 0.0)
        opened.stream.close()
    assert [line for line in server.heads[0] if not line.startswith("Sec-WebSocket-Key: ")] == [
        "GET /app/ws?a=1&b=+ HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}", f"User-Agent: app-server-client/{__version__}", "Cookie: a=b", "X-Name: \xe4",
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: bokeh, to.ken",
    ]  # fmt: skip


async def test_every_request_has_a_key_of_its_own() -> None:
    async with peer(ACCEPTED) as server:
        for _ in range(2):
            (await shake_hands(opening(server.port), 0.0)).stream.close()
    keys = [line for head in server.heads for line in head if line.startswith("Sec-WebSocket-Key: ")]
    assert len(set(keys)) == 2


async def test_headers_of_the_program_take_the_place_of_ours() -> None:
    async with peer(ACCEPTED) as server:
        opened = await shake_hands(opening(server.port, headers={"host": "other.test", "USER-AGENT": "me"}), 0.0)
        opened.stream.close()
    names = [line for line in server.heads[0] if line.lower().startswith(("host:", "user-agent:"))]
    assert names == ["host: other.test", "USER-AGENT: me"]


async def test_address_may_have_characters_that_are_not_ascii() -> None:
    async with peer(ACCEPTED) as server:
        opened = await shake_hands(opening(url=f"http://127.0.0.1:{server.port}/\u00e4\u20ac"), 0.0)
        opened.stream.close()
    assert server.heads[0][0].encode("latin-1").decode("utf-8") == "GET /\u00e4\u20ac/ws HTTP/1.1"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", f"{CLOSED}it is a page"),
        (b"", f"{CLOSED}the connection was closed without an answer"),
        (b"SSH-2.0-OpenSSH\r\n", f"{CLOSED}the answer begins with b'SSH-2.0-OpenSSH\\r\\n', which is not HTTP/1.1"),
        (b"HTTP/1.1 101 Switching\r\n", f"{CLOSED}the connection ended in the middle of the answer"),
        (ACCEPTED.replace(b"KEY", b"other"), f"{CLOSED}Sec-WebSocket-Accept is missing or wrong"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", f"{CLOSED}Sec-WebSocket-Accept is missing or wrong"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n", f"{CLOSED}the answer has 300 headers"),
    ],
    ids=["page", "nothing", "no http", "cut", "another key", "no key", "too many headers"],
)  # fmt: skip
async def test_answer_that_opens_no_socket_is_refused(answer: bytes, what: str) -> None:
    async with peer(answer) as server:
        with pytest.raises(Refused) as refused:
            await shake_hands(opening(server.port), 0.0)
    assert str(refused.value) == f"http://127.0.0.1:{server.port}/app: {what}. Check the address."
    assert refused.value.status is None


@pytest.mark.parametrize(
    ("head", "status", "what", "hint"),
    [
        ("302 Found\r\nLocation: /login", 302, "302 Found", "The page may require a login, or have moved; pass the"
         " login's cookies, or give its new address."),
        ("426 Upgrade Required", 426, "426 Upgrade Required", "A proxy in between does not forward WebSockets."),
        ("418 I'm a teapot", 418, "418 I'm a teapot", ""),
        ("500 ", 500, "500", ""),
    ],
)  # fmt: skip
async def test_refusal_says_the_status_and_what_to_do(head: str, status: int, what: str, hint: str) -> None:
    # The body never ends, and is not waited for.
    async with peer(f"HTTP/1.1 {head}\r\nContent-Length: 1000000000\r\n\r\n".encode()) as server:
        with pytest.raises(Refused) as refused:
            await shake_hands(opening(server.port), 0.0)
    start = f"http://127.0.0.1:{server.port}/app: the server refused the session with {what}"
    assert str(refused.value) == (f"{start}. {hint}" if hint else start)
    assert refused.value.status == status


async def test_reset_is_no_answer() -> None:
    async def reset(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await incoming.readuntil(b"\r\n\r\n")
        linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
        outgoing.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        outgoing.close()

    async with await asyncio.start_server(reset, "127.0.0.1", 0) as server:
        with pytest.raises(CannotConnect) as refused:
            await shake_hands(opening(server.sockets[0].getsockname()[1]), 0.0)
    assert refused.value.what == f"no server answers: [Errno {errno.ECONNRESET}] {os.strerror(errno.ECONNRESET)}"


async def test_server_that_does_not_answer_the_connection_in_time_is_a_timeout(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await shake_hands(opening(unix_socket=str(tmp_path / "s")), 0.0)


async def test_unix_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotConnect) as refused:
        await shake_hands(opening(unix_socket=str(tmp_path / "none")), 0.0)
    assert str(refused.value).startswith(f"{tmp_path / 'none'}: no server answers: ")


# TLS


def tls(issued: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


async def test_certificate_is_checked_for_the_host_of_the_address(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    async with peer(ACCEPTED, ssl=tls(authority.issue_cert("127.0.0.1"))) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        opened = await shake_hands(opening(url=url, verify=str(tmp_path / "ca.pem")), 0.0)
        opened.stream.close()
        with pytest.raises(CannotConnect) as unknown:
            await shake_hands(opening(url=url), 0.0)
    hint = "Give verify= the file of the authority that signed the server's certificate."
    assert str(unknown.value) == f"{url}: TLS failed: CERTIFICATE_VERIFY_FAILED. {hint}"
    async with peer(ACCEPTED, ssl=tls(authority.issue_cert("other.test"))) as server:
        url = f"https://127.0.0.1:{server.port}{PATH}"
        with pytest.raises(CannotConnect, match="TLS failed: CERTIFICATE_VERIFY_FAILED"):
            await shake_hands(opening(url=url, verify=str(tmp_path / "ca.pem")), 0.0)
        opened = await shake_hands(opening(url=url, verify=False), 0.0)
        opened.stream.close()


async def test_server_without_tls_fails_at_https() -> None:
    async def answer(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await incoming.read(1)
        outgoing.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await outgoing.drain()
        outgoing.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CannotConnect, match="TLS failed: "):
            await shake_hands(opening(url=f"https://127.0.0.1:{port}{PATH}"), 0.0)
