"""Serves a few hidden sessions in the process that others are forked from, so one-time work is done before the fork.

Modules that are imported when they are first needed, templates, tables of models' defaults, what Python itself keeps
of code that has run: every session would make that again, and have its own copy of the memory that it changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket

from app_server.apps import application_from_function
from app_server.document.pages.sample import fill_sample, make_one_of_each
from app_server.processes.ipc import Message
from app_server.protocol import websocket
from app_server.server.server import Server
from app_server.settings import Settings

log = logging.getLogger(__name__)

_VISITS = 3
"""More save a session nothing that can be measured, and each delays the start."""

_PATIENCE_S = 10.0
_WORDS = {"family": "AF_UNIX", "address": None, "scheme": "http"}
_PAGE = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
_SOCKET = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: bokeh, {token}\r\n\r\n"
)
_NO_MASK = bytes(4)


def serve_sample_sessions() -> None:
    """Serve a few sample sessions to ourselves; a fault is logged and harms no session.

    Sessions of a small application then take half the processor time to open, and a fifth less memory of their own.
    """
    make_one_of_each()
    try:
        with asyncio.Runner() as runner:  # which cancels what a visit that fails leaves behind
            runner.run(asyncio.wait_for(_serve_samples(), _PATIENCE_S))
    except Exception:
        what = "Could not serve sample sessions ahead; each session starts slower. This is a fault of the server"
        log.warning(what, exc_info=True)


async def _serve_samples() -> None:
    loop = asyncio.get_running_loop()
    # The settings of the real server could refuse us.
    server = Server({"/": application_from_function(fill_sample)}, Settings(), loop)
    await server.start_isolated()
    for _ in range(_VISITS):
        await _visit(server)
    await server.stop()


async def _visit(server: Server) -> None:
    page = (await _connect(server, _PAGE)).decode(errors="replace")
    found = re.search(r'"token":"([^"]+)"', page)
    if found is None:
        raise ValueError(page[:200])
    messages = [
        {"msgid": "1", "msgtype": "PULL-DOC-REQ"}, {}, {},
        {"msgid": "2", "msgtype": "SERVER-INFO-REQ"}, {}, {},
    ]  # fmt: skip
    frames = b"".join(_frame(json.dumps(part).encode()) for part in messages)
    head = _SOCKET.format(token=found[1]).encode()
    answer = await _connect(server, head, frames + _frame(b"\x03\xe8", websocket.CLOSE))
    if b"PULL-DOC-REPLY" not in answer:
        raise ValueError(answer[:200])


async def _connect(server: Server, head: bytes, more: bytes = b"") -> bytes:
    """All that is answered on a connection that begins with these bytes."""
    ours, theirs = socket.socketpair()
    server.arrive(Message(_WORDS, head), theirs)
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        if more:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(more)
        return await reader.read()
    finally:
        writer.close()


def _frame(payload: bytes, opcode: int = websocket.TEXT) -> bytes:
    header = bytearray(websocket.frame_header(opcode, len(payload)))
    header[1] |= 0x80  # a client's frames are masked (RFC 6455, section 5.3)
    return bytes(header) + _NO_MASK + payload
