"""The doctor among servers that mean it no good: it ends in time, and says what it met."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from app_server.doctor.address import read_target
from app_server.doctor.finding import Finding
from app_server.doctor.network.connection import Route
from app_server.doctor.options import MAX_REDIRECTS, Options
from app_server.doctor.probes import examine
from app_server.doctor.report import as_data, as_text
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from app_server.protocol import codec, websocket
from app_server.protocol.websocket import accept_key

BaseHandler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Given the head of a request, writes whatever it likes; the connection is closed afterwards."""

TIMEOUT_S = 1.0
PAGE = (
    b'<script src="/static/js/bokeh.min.js"></script><script>const render_items = [{"token":"abc"}];'
    b"root.Bokeh.embed.embed_items(docs_json, render_items);</script>"
)


async def say(writer: asyncio.StreamWriter, *parts: bytes) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()


async def for_ever(writer: asyncio.StreamWriter, part: bytes, pause_s: float = 0.0) -> None:
    while True:
        await say(writer, part)
        await asyncio.sleep(pause_s)


def with_page(then: BaseHandler) -> BaseHandler:
    """A page with a token for anyone who wants one, and this for those who want a WebSocket."""

    async def answering(head: str, writer: asyncio.StreamWriter) -> None:
        if "sec-websocket-key" in head.lower():
            await then(head, writer)
        else:
            await say(writer, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE), PAGE)

    return answering


def upgraded(then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> BaseHandler:
    """A WebSocket that is opened as it should be, and then goes wrong."""

    async def answering(head: str, writer: asyncio.StreamWriter) -> None:
        [line] = [line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key:")]
        accept = accept_key(line.partition(":")[2].strip())
        await say(writer, f"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        await then(writer)

    return with_page(answering)


async def silence(head: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def goodbye(head: str, writer: asyncio.StreamWriter) -> None:
    return


async def garbage(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, bytes(range(256)) * 4)


async def endless_body(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\n\r\n")
    await for_ever(writer, b"x" * 1_000_000)


async def endless_headers(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\n")
    await for_ever(writer, b"X-More: %s\r\n" % (b"y" * 1000))


async def endless_hints(head: str, writer: asyncio.StreamWriter) -> None:
    await for_ever(writer, b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 100)


async def drops(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    await for_ever(writer, b"x", 0.05)


async def circle(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 302 Found\r\nLocation: ?again\r\nContent-Length: 0\r\n\r\n")


async def refusal(head: str, writer: asyncio.StreamWriter) -> None:
    await say(writer, b"HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: wrong\r\n\r\n")


async def strange_frames(writer: asyncio.StreamWriter) -> None:
    await say(writer, b"\xff" * 1000)


async def strange_messages(writer: asyncio.StreamWriter) -> None:
    await say(writer, b"\x81\x05hello" * 10)


async def painted_reason(writer: asyncio.StreamWriter) -> None:
    reason = b"\x1b[2J\x1b[31mall is well\r\n"
    await say(writer, bytes((0x88, len(reason) + 2)) + b"\x03\xf0" + reason)


async def endless_pings(writer: asyncio.StreamWriter) -> None:
    await for_ever(writer, b"\x89\x00" * 1000, 0.01)


async def endless_message(writer: asyncio.StreamWriter) -> None:
    await say(writer, b"\x01\x00")
    await for_ever(writer, b"\x00\x7f" + (1_000_000).to_bytes(8, "big") + b"x" * 1_000_000)


async def silent_socket(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


# What a hostile server does, and what the doctor calls it.
HOSTILE: dict[str, tuple[BaseHandler, str]] = {
    "silence": (silence, "page-failed"),
    "goodbye": (goodbye, "page-failed"),
    "garbage": (garbage, "page-failed"),
    "endless body": (endless_body, "page-failed"),
    "endless headers": (endless_headers, "page-failed"),
    "endless hints": (endless_hints, "page-failed"),
    "drops": (drops, "page-failed"),
    "circle": (circle, "redirect-loop"),
    "false upgrade": (with_page(refusal), "socket-failed"),
    "silent handshake": (with_page(silence), "socket-failed"),
    "strange frames": (upgraded(strange_frames), "socket-failed"),
    "strange messages": (upgraded(strange_messages), "socket-failed"),
    "painted reason": (upgraded(painted_reason), "token-refused"),
    "endless pings": (upgraded(endless_pings), "socket-failed"),
    "endless message": (upgraded(endless_message), "socket-failed"),
    "silent socket": (upgraded(silent_socket), "socket-failed"),
}


@asynccontextmanager
async def hostile_server(answering: BaseHandler) -> AsyncIterator[int]:
    """The port of a server that answers so."""
    begun: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.add(asyncio.current_task())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await answering(head.decode("latin-1"), writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        # Since Python 3.12 the server waits for those that still answer, and some never end.
        for task in filter(None, begun):
            task.cancel()


@dataclass(frozen=True)
class Visit:
    """What came of a visit, and how long it took."""

    evidence: Evidence
    findings: list[Finding]
    took_s: float
    limit_s: float


async def visit(answering: BaseHandler, scheme: str = "http") -> Visit:
    options = Options(None, Route(timeout_s=TIMEOUT_S), idle_s=0.3, openings=2)
    async with hostile_server(answering) as port:
        started = time.monotonic()
        evidence = await examine(read_target(f"{scheme}://127.0.0.1:{port}/board"), options)
        return Visit(evidence, judge(evidence), time.monotonic() - started, options.limit_s)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_server_is_reported_in_time(name: str) -> None:
    answering, wanted = HOSTILE[name]
    seen = await visit(answering)
    assert wanted in [finding.id for finding in seen.findings]
    assert seen.took_s < seen.limit_s + 1
    assert as_data(seen.evidence, seen.findings, seen.took_s)["ok"] is False
    text = as_text(seen.evidence, seen.findings, seen.took_s, lambda style, text: text)
    assert wanted in text
    assert all(character.isprintable() or character == "\n" for character in text)


async def test_redirects_are_followed_a_few_times_only() -> None:
    assert len((await visit(circle)).evidence.redirects) == MAX_REDIRECTS


async def test_port_without_tls_is_reported() -> None:
    seen = await visit(silence, "https")
    assert [finding.id for finding in seen.findings] == ["tls-failed"]
    spoken = await visit(garbage, "https")
    assert [finding.id for finding in spoken.findings] == ["tls-failed"]


async def test_end_of_a_silent_socket_is_seen_by_a_doctor_that_was_late_itself() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        for msgtype in ("ACK", "PULL-DOC-REPLY"):
            for opcode, payload in codec.encode(msgtype):
                await say(writer, websocket.frame_header(opcode, len(payload)), bytes(payload))
        await asyncio.sleep(0.2)

    async with hostile_server(with_page(upgraded(cut))) as port:
        # The loop stands still from before the cut until after the time for silence.
        asyncio.get_running_loop().call_later(0.15, time.sleep, 1.0)
        options = Options(None, Route(timeout_s=20), idle_s=0.5, openings=1)
        evidence = await examine(read_target(f"http://127.0.0.1:{port}/board"), options)
    assert evidence.idle is not None and evidence.idle.ended is not None
    assert "read-timeout" in [finding.id for finding in judge(evidence)]
