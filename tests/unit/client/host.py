"""A server of one session that does what a test wants, in a thread of this process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bokeh.document import Document
from bokeh.models import Div, Slider
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


class Host:
    """Answers as a server does, but what is in `silent` and `failing`; keeps what it gets and how sockets end."""

    def __init__(self) -> None:
        document = Document()
        document.add_root(Slider(name="slider", start=0, end=100, value=1))
        document.add_root(Div(name="div", text=""))
        document.title = "Board"
        self.doc: Any = document.to_json(deferred=False)
        self.slider, self.div = (root.id for root in document.roots)
        self.silent: set[str] = set()
        self.failing: set[str] = set()
        self.before_answer: list[dict[str, Any]] = []
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.ends: list[tuple[int | None, str | None]] = []
        self.ended = threading.Event()
        self.connection: ServerConnection | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address of its application."""
        return f"http://localhost:{self.port}/app"

    def handle(self, connection: ServerConnection) -> None:
        """Serve one connection."""
        self.connection = connection
        self.send("ACK")
        with suppress(ConnectionClosed):
            while True:
                header, _, content = (json.loads(connection.recv()) for _ in range(3))
                for _ in range(header.get("num_buffers", 0) * 2):
                    connection.recv()
                self.got.append((header["msgtype"], content))
                self.answer(header)
        self.ends.append((connection.close_code, connection.close_reason))
        self.ended.set()

    def answer(self, header: dict[str, Any]) -> None:
        """Answer a request."""
        kind = header["msgtype"]
        if kind in self.silent:
            return
        for event in self.before_answer:
            self.send("PATCH-DOC", {"events": [event]})
        self.before_answer = []
        if kind in self.failing:
            self.send("ERROR", {"text": "it fails", "traceback": "line 1"}, header["msgid"])
        elif kind == "PULL-DOC-REQ":
            self.send("PULL-DOC-REPLY", {"doc": self.doc}, header["msgid"])
        elif kind == "SERVER-INFO-REQ":
            info = {"version_info": {"bokeh": "3.9", "server": "0.1"}}
            self.send("SERVER-INFO-REPLY", info, header["msgid"])
        else:
            self.send("OK", {}, header["msgid"])

    def send(self, kind: str, content: dict[str, Any] | None = None, reqid: str | None = None) -> None:
        """Send a message, in its three frames."""
        assert self.connection is not None
        header = {"msgid": "1", "msgtype": kind} | ({} if reqid is None else {"reqid": reqid})
        for frame in (header, {}, content or {}):
            self.connection.send(json.dumps(frame))

    def slide(self, value: object) -> None:
        """Move the slider."""
        self.send("PATCH-DOC", {"events": [self.moved(value)]})

    def moved(self, value: object) -> dict[str, Any]:
        """The event of a slider that has moved."""
        return {"kind": "ModelChanged", "model": {"id": self.slider}, "attr": "value", "new": value}

    def drop(self) -> None:
        """Have the connection break off, without a goodbye."""
        assert self.connection is not None
        self.connection.socket.shutdown(2)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The events that it got."""
        return [event for kind, content in self.got if kind == "PATCH-DOC" for event in content["events"]]


@contextmanager
def hosted() -> Iterator[Host]:
    """A host that takes connections."""
    host = Host()
    with serve(host.handle, "localhost", 0, subprotocols=["bokeh"], compression=None) as server:  # type: ignore[list-item]
        host.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield host
        server.shutdown()
    thread.join()
