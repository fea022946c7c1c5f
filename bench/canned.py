"""A Tornado server that answers with canned bytes: the limit of Tornado in Python, to compare the others with.

It keeps no document and runs no application. What it says was recorded once from `bokeh serve`; each reply is one
write of bytes that are ready. Run as `python -m bench.canned RECORDING PORT`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import struct
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from app_server.load.pages import socket_path, token_of
from app_server.load.wire import BINARY, TEXT, Message, frame, set_value
from bench.client import HOST, Tab, get, join
from bench.servers import STOCK, Launch, serving

PUSH_PERIOD_MS = 50
STAMP = struct.Struct("<d")
FRAMES_OF_A_MESSAGE = 3


@dataclass(frozen=True)
class Recording:
    """One application's page and the frames of its replies; `push` is empty if nothing is pushed."""

    page: str
    token: str
    ack: bytes
    reply: bytes
    patch: bytes
    ok: bytes
    push: bytes
    push_stamp_at: int

    def dump(self, path: Path) -> None:
        """Write it as JSON."""
        fields = {name: _text(value) if isinstance(value, bytes) else value for name, value in vars(self).items()}
        path.write_text(json.dumps(fields))

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read what `dump` wrote."""
        fields: dict[str, Any] = json.loads(path.read_text())
        for name in ("ack", "reply", "patch", "ok", "push"):
            fields[name] = base64.b64decode(fields[name])
        return cls(**fields)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def to_bytes(message: Message) -> bytes:
    """The message as a server writes it, its unmasked frames in one piece."""
    parts = [frame(TEXT, json.dumps(message.header).encode()), frame(TEXT, b"{}"), frame(TEXT, message.content)]
    for buffer in message.buffers:
        parts += [frame(TEXT, b'{"id": "p0"}'), frame(BINARY, buffer)]
    return b"".join(parts)


def merge(patches: list[Message]) -> bytes:
    """Patches as one PATCH-DOC of all their events, where none of them has buffers, and else one after the other."""
    if len(patches) < 2 or any(patch.buffers for patch in patches):
        return b"".join(map(to_bytes, patches))
    events = [event for patch in patches for event in json.loads(patch.content)["events"]]
    content = json.dumps({"events": events}, separators=(",", ":")).encode()
    return to_bytes(Message(patches[0].header, content, (), FRAMES_OF_A_MESSAGE, 0.0))


async def record(port: int, app: str, pushes: bool) -> Recording:
    """What a server that is running says for one application: on opening, and to one change or one tick."""
    page = (await get(port, f"/{app}")).body.decode()
    tab = await join(port, socket_path(page, f"/{app}"), token_of(page))
    push = await tab.connection.receive("PATCH-DOC") if pushes else None
    patches, ok = ([], None) if pushes else await record_change(tab)
    tab.connection.close()
    push_bytes = to_bytes(push) if push else b""
    return Recording(
        page=page,
        token=tab.token,
        ack=to_bytes(Message({"msgid": "0", "msgtype": "ACK"}, b"{}", (), FRAMES_OF_A_MESSAGE, 0.0)),
        reply=to_bytes(tab.reply),
        patch=merge(patches),
        ok=to_bytes(ok) if ok else b"",
        push=push_bytes,
        push_stamp_at=push_bytes.index(push.buffers[0][: STAMP.size]) if push else 0,
    )


async def record_change(tab: Tab) -> tuple[list[Message], Message]:
    """The patches that answer a slider's move, and the OK after them."""
    tab.connection.send("PATCH-DOC", set_value(tab.models("Slider")[0], 0.5))
    patches = []
    while (got := await tab.connection.receive()).kind == "PATCH-DOC":
        patches.append(got)
    return patches, got


def record_all(apps: list[str], folder: Path) -> None:
    """Record every application from `bokeh serve` into `<folder>/<app>.json`."""
    for app in apps:
        with serving(STOCK, Launch(app), folder) as served:
            asyncio.run(record(served.port, app, pushes=app == "push")).dump(folder / f"{app}.json")


class PageHandler(RequestHandler):
    """The recorded page with a token of its own for each visit."""

    def initialize(self, recording: Recording) -> None:
        """Tornado passes the arguments of the route."""
        self.recording = recording

    def get(self) -> None:
        """Send the page; only the token differs."""
        self.write(self.recording.page.replace(self.recording.token, secrets.token_hex(22)))


class SocketHandler(WebSocketHandler):
    """The recorded replies; sockets of one token form a session, as far as a fan-out needs one."""

    sessions: dict[str, set[SocketHandler]] = defaultdict(set)

    def initialize(self, recording: Recording) -> None:
        """Tornado passes the arguments of the route."""
        self.recording = recording
        self.timer: PeriodicCallback | None = None
        self.frames = 0

    def select_subprotocol(self, subprotocols: list[str]) -> str:
        """Choose `bokeh`; the other item is the token."""
        self.token = subprotocols[-1]
        return "bokeh"

    def open(self, *args: str, **kwargs: str) -> None:
        """Send ACK, and start the timer if the application has one."""
        assert self.ws_connection is not None and self.ws_connection.stream is not None
        self.stream: IOStream = self.ws_connection.stream
        self.stream.set_nodelay(True)
        self.sessions[self.token].add(self)
        self.stream.write(self.recording.ack)
        if self.recording.push:
            self.timer = PeriodicCallback(self.push, PUSH_PERIOD_MS)
            self.timer.start()

    def on_message(self, message: str | bytes) -> None:
        """Answer a message as soon as its third frame is here."""
        if self.frames == 0:
            self.pulls = "PULL-DOC" in str(message)
        self.frames = (self.frames + 1) % FRAMES_OF_A_MESSAGE
        if self.frames == 0:
            self.answer()

    def answer(self) -> None:
        """Send the document, or the change to every socket of the session and OK to this one."""
        if self.pulls:
            self.stream.write(self.recording.reply)
            return
        for each in self.sessions[self.token]:
            each.stream.write(self.recording.patch + self.recording.ok if each is self else self.recording.patch)

    def push(self) -> None:
        """Send the pushed patch with the time in its first value."""
        data, at = self.recording.push, self.recording.push_stamp_at
        self.stream.write(data[:at] + STAMP.pack(time.monotonic()) + data[at + STAMP.size :])

    def on_close(self) -> None:
        """Forget the socket."""
        if self.timer is not None:
            self.timer.stop()
        self.sessions[self.token].discard(self)


async def serve(recording: Recording, app: str, port: int) -> None:
    """Serve until the process is ended."""
    given = {"recording": recording}
    routes = [(rf"/{app}", PageHandler, given), (rf"/{app}/ws", SocketHandler, given)]
    HTTPServer(Application(routes, log_function=lambda handler: None)).listen(port, HOST, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Recording.load(Path(sys.argv[1])), Path(sys.argv[1]).stem, int(sys.argv[2])))
