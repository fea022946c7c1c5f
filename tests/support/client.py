"""A small client of the protocol: page, token, socket, messages. It knows nothing of bokeh."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect, unix_connect

from tests.support.clients.secure import OneAtATime, unverified
from tests.support.waiting import PATIENCE_S, patience

_TOKEN = re.compile(r'"token":"([^"]+)"')


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    @property
    def token(self) -> str:
        """The session's token that the page or script carries."""
        found = _TOKEN.search(self.text.replace('\\"', '"'))
        assert found is not None, self.text[:2000]
        return found[1]


def _or_patience(timeout_s: float | None) -> float:
    return patience(PATIENCE_S) if timeout_s is None else timeout_s


def fetch(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, timeout_s: float | None = None
) -> Answer:
    """The answer to one request on a connection of its own; None: as patient as the machine is busy."""
    timeout_s = _or_patience(timeout_s)
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = (
        http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=timeout_s, context=ssl._create_unverified_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    )
    try:
        return ask(connection, f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}", method, headers)
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection, target: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer to one request on this connection, which stays open."""
    connection.request(method, target, headers=dict(headers or {}))
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


@dataclass(frozen=True)
class Received:
    """A message from the server."""

    msgtype: str
    content: Any
    buffers: tuple[tuple[str, bytes], ...] = ()
    reqid: str | None = None
    frames: int = 3


class Client:
    """One connection; it mirrors the properties of the document's models as far as tests look at them."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.pushed: list[Received] = []
        self.attributes: dict[str, dict[str, Any]] = {}
        self.roots: list[str] = []
        self.title = ""
        self._numbers = iter(range(1, 1_000_000))

    def receive(self, timeout_s: float | None = None) -> Received:
        """The next message, which must begin in time. Raises TimeoutError, or ConnectionClosed with its close code."""
        timeout_s = _or_patience(timeout_s)
        header = json.loads(self._frame(time.monotonic() + timeout_s))
        deadline = time.monotonic() + max(timeout_s, _or_patience(None))
        assert json.loads(self._frame(deadline)) == {}
        content = json.loads(self._frame(deadline))
        buffers = []
        for _ in range(header.get("num_buffers", 0)):
            ident = json.loads(self._frame(deadline))["id"]
            payload = self._frame(deadline)
            assert isinstance(payload, bytes)
            buffers.append((ident, payload))
        received = Received(
            header["msgtype"], content, tuple(buffers), header.get("reqid"), frames=3 + 2 * len(buffers)
        )
        if received.msgtype == "PATCH-DOC":
            self.pushed.append(received)
            self._follow(received)
        return received

    def _frame(self, deadline: float) -> str | bytes:
        return self.socket.recv(timeout=max(0.001, deadline - time.monotonic()))

    def send(self, msgtype: str, content: object = None, buffers: Sequence[tuple[str, bytes]] = ()) -> str:
        """Send a message; its id."""
        msgid = str(next(self._numbers))
        header: dict[str, object] = {"msgid": msgid, "msgtype": msgtype}
        if buffers:
            header["num_buffers"] = len(buffers)
        for text in (header, {}, content or {}):
            self.socket.send(json.dumps(text))
        for ident, payload in buffers:
            self.socket.send(json.dumps({"id": ident}))
            self.socket.send(payload)
        return msgid

    def request(self, msgtype: str, content: object = None, buffers: Sequence[tuple[str, bytes]] = ()) -> Received:
        """Send a message and wait for its answer; patches that come before it are kept in `pushed`."""
        msgid = self.send(msgtype, content, buffers)
        while (received := self.receive()).reqid != msgid:
            pass
        return received

    def pull(self) -> Received:
        """Ask for the document and mirror it."""
        reply = self.request("PULL-DOC-REQ")
        if reply.msgtype == "PULL-DOC-REPLY":
            doc = reply.content["doc"]
            self.attributes, self.title = {}, doc["title"]
            self.roots = [self._learn(root) for root in doc["roots"]]
        return reply

    def patch(self, *events: Mapping[str, object], buffers: Sequence[tuple[str, bytes]] = ()) -> Received:
        """Send events in one PATCH-DOC; the answer."""
        return self.request("PATCH-DOC", {"events": events}, buffers)

    def set(self, name: str, attr: str, value: object) -> Received:
        """Set a property of the model called `name`; the answer."""
        return self.patch(self.change(name, attr, value))

    def change(self, name: str, attr: str, value: object) -> dict[str, object]:
        """The event that sets a property of the model called `name`."""
        return {"kind": "ModelChanged", "model": {"id": self.ident(name)}, "attr": attr, "new": value}

    def ident(self, name: str) -> str:
        """The id of the model called `name`."""
        found = [ident for ident, attributes in self.attributes.items() if attributes.get("name") == name]
        assert len(found) == 1, f"{len(found)} models are called {name}"
        return found[0]

    def value(self, name: str, attr: str) -> Any:
        """What the property of the model called `name` was last heard to be."""
        return self.attributes[self.ident(name)].get(attr)

    def wait_for(self, claim: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Receive messages until `claim()` holds; TimeoutError if it does not."""
        deadline = time.monotonic() + _or_patience(timeout_s)
        while not claim():
            self.receive(deadline - time.monotonic())

    def wait_value(self, name: str, attr: str, expected: object, timeout_s: float | None = None) -> None:
        """Receive messages until the property of the model called `name` is as expected."""
        try:
            self.wait_for(lambda: bool(self.value(name, attr) == expected), timeout_s)
        except TimeoutError:
            raise AssertionError(f"{name}.{attr} is {self.value(name, attr)!r}, not {expected!r}") from None

    def events(self) -> list[dict[str, Any]]:
        """The events of all patches so far."""
        return [event for message in self.pushed for event in message.content["events"]]

    def close_code(self, timeout_s: float | None = None) -> int | None:
        """Wait until the server ends the connection; its close code, None if it sent none."""
        timeout_s = _or_patience(timeout_s)
        try:
            while True:
                self.socket.recv(timeout=timeout_s)
        except ConnectionClosed as closed:
            return None if closed.rcvd is None else closed.rcvd.code

    def close(self) -> None:
        """Say goodbye."""
        self.socket.close()

    def cut(self) -> None:
        """Go away without a word."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _learn(self, value: Any) -> str:
        for ident, attributes in objects(value):
            self.attributes[ident] = dict(attributes)
        return str(value["id"])

    def _follow(self, message: Received) -> None:
        for event in message.content["events"]:
            for ident, attributes in objects(event):
                self.attributes[ident] = dict(attributes)
            if event["kind"] == "ModelChanged":
                self.attributes.setdefault(event["model"]["id"], {})[event["attr"]] = event["new"]
            elif event["kind"] == "RootAdded":
                self.roots.append(event["model"]["id"])
            elif event["kind"] == "RootRemoved":
                self.roots.remove(event["model"]["id"])
            elif event["kind"] == "TitleChanged":
                self.title = event["title"]


def objects(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id and attributes of each model that is written out in this JSON."""
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            yield value["id"], value.get("attributes", {})
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from objects(item)


@dataclass
class Site:
    """An address where our server answers, and how to knock there."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, method: str = "GET", **query: str) -> Answer:
        """The answer to a request for this path."""
        address = self.url + path + (f"?{urlencode(query)}" if query else "")
        return fetch(address, method=method, headers={**self.headers, **(headers or {})})

    def token(self, app: str, **query: str) -> str:
        """The token of a new session of the application at this path."""
        answer = self.get(app, **query)
        assert answer.status == 200, answer.text
        return answer.token

    @contextmanager
    def socket(self, app: str, token: str, *, query: str = "", **options: Any) -> Iterator[Client]:
        """A connection whose opening handshake is over; nothing was received yet."""
        with open_socket(self.url, app, token, query=query, **options) as opened:
            yield Client(opened)

    @contextmanager
    def client(self, app: str, token: str | None = None, *, pull: bool = True, **options: Any) -> Iterator[Client]:
        """A client that was greeted and, unless `pull` is false, has the document."""
        with self.socket(app, token or self.token(app), **options) as client:
            assert client.receive().msgtype == "ACK"
            if pull:
                assert client.pull().msgtype == "PULL-DOC-REPLY"
            yield client


def open_socket(
    url: str,
    app: str,
    token: str,
    *,
    query: str = "",
    subprotocols: Sequence[str] | None = None,
    unix_path: str | None = None,
    **options: Any,
) -> ClientConnection:
    """Open `<app>/ws`. Raises InvalidStatus where the handshake is refused."""
    options.setdefault("compression", None)
    options.setdefault("max_size", None)
    options.setdefault("close_timeout", 2)
    options.setdefault("open_timeout", _or_patience(None))
    words: Any = ["bokeh", token] if subprotocols is None else subprotocols
    if unix_path is not None:
        return unix_connect(unix_path, f"ws://localhost{app}/ws", subprotocols=words, ping_interval=None, **options)
    if url.startswith("https"):
        options.setdefault("ssl", unverified()).sslsocket_class = OneAtATime
    address = f"ws{url.removeprefix('http')}{app}/ws{query}"
    return connect(address, subprotocols=words, ping_interval=None, proxy=None, **options)
