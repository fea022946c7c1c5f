"""Sessions without a server: a document, its context, and what a turn says in plain values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from bokeh.models import ColumnDataSource, Div, Slider

from app_server.document import engine
from app_server.document.callbacks import SessionCallback
from app_server.document.served import ServedDocument, new_document
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message
from app_server.protocol.websocket import TEXT
from app_server.security.visible_request import VisibleRequest
from app_server.session.connection import Connection
from app_server.session.context import ApplicationContext, SessionContext
from app_server.session.effects import Await, Close, Effect, Send
from app_server.session.limits import MessageLimits
from app_server.session.session import Session
from app_server.session.whole_document import Prepared

engine.install()


class Host:
    """What runs a session, and notes what the session asks for."""

    def __init__(self) -> None:
        self.callbacks: dict[str, SessionCallback] = {}
        self.woken = 0
        self.failures: list[type[BaseException] | None] = []

    def wake(self) -> None:
        self.woken += 1

    def send_now(self) -> None: ...

    def failed(self) -> None:
        self.failures.append(sys.exc_info()[0])

    def callback_added(self, callback: SessionCallback) -> None:
        self.callbacks[callback.ident] = callback

    def callback_removed(self, ident: str) -> None:
        self.callbacks.pop(ident, None)


def fill(document: ServedDocument) -> None:
    """A slider, a text and some data."""
    document.add_root(Slider(name="slider", start=0, end=10, value=1))
    document.add_root(Div(name="div", text="first"))
    document.add_root(ColumnDataSource({"x": [1, 2]}, name="source"))


def make_session(
    ident: str = "session-one",
    build: Callable[[ServedDocument], None] = fill,
    *,
    now_s: float = 0.0,
    show_tracebacks: bool = False,
    host: Host | None = None,
    prepared: Prepared | None = None,
) -> Session:
    """A living session of the application /app."""
    document = new_document(ident)
    application = ApplicationContext("/app", list)
    context = SessionContext(ident, application.server_context, document, VisibleRequest(), {})
    document.attach_context(context)
    with document.at_work():
        build(document)
    limits = MessageLimits(1_000_000, show_tracebacks=show_tracebacks)
    return Session(
        ident, document, context, limits, host or Host(), application="/app", now_s=now_s, prepared=prepared
    )  # fmt: skip


def message(msgtype: str, content: dict[str, Any] | None = None, msgid: str = "m1", **fields: Any) -> Message:
    """A message as it arrived."""
    return Message(msgid, msgtype, content or {}, **fields)


def change(session: Session, name: str, attr: str, new: object, msgid: str = "m1") -> Message:
    """A PATCH-DOC that sets a property of the model called `name`."""
    model = session.document.get_model_by_name(name)
    assert model is not None
    event = {"kind": "ModelChanged", "model": {"id": model.id}, "attr": attr, "new": new}
    return message("PATCH-DOC", {"events": [event]}, msgid)


def subscriber(session: Session, ident: int = 1, **fields: Any) -> Connection:
    """A client that has joined and pulled."""
    connection = Connection(ident, **fields)
    session.join(connection)
    session.receive(connection, message("PULL-DOC-REQ"))
    return connection


def plain(effects: Iterable[Effect]) -> list[Any]:
    """The effects in plain values: (connection numbers, message), ("close", number, code, reason), ("await", …)."""
    found: list[Any] = []
    for effect in effects:
        match effect:
            case Send(connections, frames, _):
                found.append(([connection.ident for connection in connections], read(frames)))
            case Close(connection, code, reason):
                found.append(("close", connection.ident, code, reason))
            case Await(_, locked, name):
                found.append(("await", locked, name))
    return found


def read(frames: Iterable[Frame]) -> dict[str, Any]:
    """A message as JSON: its header without the id, its content, its buffers."""
    header, metadata, content, *rest = frames
    assert [frame[0] for frame in (header, metadata, content)] == [TEXT] * 3 and metadata[1] == b"{}"
    fields = json.loads(bytes(header[1]))
    assert isinstance(fields.pop("msgid"), str)
    buffers = [bytes(payload) for opcode, payload in rest if opcode != TEXT]
    return fields | {"content": json.loads(bytes(content[1]))} | ({"buffers": buffers} if buffers else {})
