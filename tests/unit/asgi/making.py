"""An ASGI server made of lists: requests and WebSockets, driven event by event."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

from app_server.asgi.scope import Event, Scope
from tests.support.waiting import until_soon

_TOKEN = re.compile(r'"token":"([^"]+)"')


def scope_of(path: str = "/", kind: str = "http", **more: Any) -> Scope:
    """A scope as uvicorn makes one; `headers` is a dictionary, and `query` may follow the path."""
    path, _, query = path.partition("?")
    headers = {"host": "localhost:5006", **more.pop("headers", {})}
    scope: Scope = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.1", 40000),
        "server": ("127.0.0.1", 5006),
        "extensions": {},
        **more,
    }
    if kind == "http":
        scope.setdefault("method", "GET")
    return scope


class Driven:
    """One call of an ASGI application, whose client sends what the test says."""

    def __init__(self, app: Any, scope: Scope, *events: Event) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.sent: list[Event] = []
        self.taking = asyncio.Event()
        """Cleared, the client reads nothing."""
        self.taking.set()
        for event in events:
            self.events.put_nowait(event)
        self.task: asyncio.Task[None] = asyncio.ensure_future(app(scope, self.events.get, self._take))

    async def _take(self, event: Event) -> None:
        await self.taking.wait()
        self.sent.append(event)

    def of(self, kind: str) -> list[Event]:
        """The events of this kind that were sent."""
        return [event for event in self.sent if event["type"] == kind]

    @property
    def status(self) -> int:
        """The status of the answer."""
        (start,) = [event for event in self.sent if event["type"].endswith(".start")]
        return int(start["status"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the answer."""
        (start,) = [event for event in self.sent if event["type"].endswith(".start")]
        return {name.decode(): value.decode("latin-1") for name, value in start["headers"]}

    @property
    def body(self) -> bytes:
        """The body of the answer so far."""
        return b"".join(event["body"] for event in self.sent if event["type"].endswith(".body"))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def token(self) -> str:
        """The token in a page."""
        found = _TOKEN.search(self.text)
        assert found is not None, self.text[:2000]
        return found[1]


async def asked(app: Any, path: str = "/", body: bytes = b"", **more: Any) -> Driven:
    """The whole answer to a request."""
    driven = Driven(app, scope_of(path, **more), {"type": "http.request", "body": body, "more_body": False})
    await driven.task
    return driven


class Socket(Driven):
    """A WebSocket, whose client speaks the protocol of bokeh."""

    def __init__(self, app: Any, path: str, token: str, **more: Any) -> None:
        scope = scope_of(path, "websocket", subprotocols=["bokeh", token], **more)
        super().__init__(app, scope, {"type": "websocket.connect"})
        self._number = 0

    def say(self, msgtype: str, content: Any = None) -> str:
        """Send a message; its id."""
        self._number += 1
        header = {"msgid": str(self._number), "msgtype": msgtype}
        for part in (header, {}, content or {}):
            self.events.put_nowait({"type": "websocket.receive", "text": json.dumps(part)})
        return str(self._number)

    @property
    def messages(self) -> list[tuple[str, Any]]:
        """The messages that have come so far: type and content."""
        found, frames = [], [event["text"] for event in self.of("websocket.send") if "text" in event]
        for start in range(0, len(frames) - 2, 3):
            found.append((json.loads(frames[start])["msgtype"], json.loads(frames[start + 2])))
        return found

    async def heard(self, msgtype: str, count: int = 1) -> Any:
        """The content of the message of this type, when it has come."""
        await until_soon(lambda: len([1 for kind, _ in self.messages if kind == msgtype]) >= count or self.task.done())
        found = [content for kind, content in self.messages if kind == msgtype]
        assert len(found) >= count, (self.messages, self.sent[:3])
        return found[count - 1]

    async def document(self) -> Any:
        """The document, when the client is greeted and has asked for it."""
        await self.heard("ACK")
        self.say("PULL-DOC-REQ")
        return (await self.heard("PULL-DOC-REPLY"))["doc"]

    async def closed(self) -> tuple[int, str]:
        """The code and reason of the server's Close, when the connection is over."""
        await until_soon(self.task.done)
        self.task.result()
        (close,) = self.of("websocket.close")
        return close["code"], close["reason"]

    def leave(self) -> None:
        """Vanish."""
        self.events.put_nowait({"type": "websocket.disconnect", "code": 1005})


def change(document: Any, name: str, attr: str, value: Any) -> dict[str, Any]:
    """The content of a PATCH-DOC that sets a property of the root called `name`."""
    (ident,) = [root["id"] for root in document["roots"] if root["attributes"].get("name") == name]
    return {"events": [{"kind": "ModelChanged", "model": {"id": ident}, "attr": attr, "new": value}]}
