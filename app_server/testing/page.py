"""A page that is open: its copy of the document, and the messages between it and the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app_server.client.errors import RequestFailed
from app_server.client.exchange import Exchange
from app_server.document import remote
from app_server.document.callbacks import SessionCallback
from app_server.document.remote import Mirror, MirroredDocument
from app_server.errors import PeerError
from app_server.protocol import messages
from app_server.protocol.codec import Buffer, Frame
from app_server.protocol.frame_reader import ServerFrameReader
from app_server.protocol.receiver import Receiver
from app_server.protocol.websocket import Payload
from app_server.session.connection import Connection
from app_server.session.session import Session
from app_server.testing.errors import CannotDo, hidden
from app_server.testing.site import Site

__tracebackhide__ = hidden

_MAX_BYTES = 1024 * 1024 * 1024
"""What a page takes in one message: browsers have no limit."""


class Line:
    """The connection of a page, as the engine sees it: its browser reads everything at once."""

    pack = None
    queued_bytes = 0
    is_late = False
    has_room = True
    late_by_s = 0.0

    def __init__(self) -> None:
        self._read: list[bytes] = []
        self.closed: tuple[int, str] | None = None

    def read(self) -> list[bytes]:
        """What was written since the last time."""
        read, self._read = self._read, []
        return read

    def write(self, chunks: Sequence[Payload]) -> None:
        """Take these bytes."""
        self._read += [bytes(chunk) for chunk in chunks]

    def close(self, code: int, reason: str = "") -> None:
        """Take note that the server has closed the connection."""
        self.closed = code, reason

    def give_up(self, waiting_bytes: int, why: str) -> None:
        """Never needed: nothing waits."""

    def watch_closely(self) -> None:
        """Never needed: it is never late."""

    def pause(self) -> None:
        """Never needed: a page sends one thing at a time."""

    def resume(self) -> None:
        """See `pause`."""


class Page:
    """One tab's copy of a session's document, kept equal to it by the messages that a browser exchanges."""

    def __init__(self, site: Site, session: Session, ready: str = "document_ready") -> None:
        self._site = site
        self.session = session
        self.line = Line()
        self._connection = Connection(next(site.runtime.connection_numbers), "127.0.0.1", from_browser=True)
        self._from_server = ServerFrameReader(_MAX_BYTES)
        self._from_page = Receiver(session.limits.max_message_bytes, session.is_root)
        self._messages = Receiver(_MAX_BYTES)
        self._exchange = Exchange(session.application, self._send)
        self._mirror = Mirror(remote.empty_document(), self, _MAX_BYTES)
        site.pages.append(self)
        asked = site.perform(self._join)
        site.until(lambda: self._exchange.answered(asked))  # an asynchronous callback may hold the document
        self._exchange.answer(asked)
        self.fire(ready)

    def _join(self) -> str:
        self._site.runtime.connect(self.session, self._connection, self.line)
        return self._exchange.pull(self._mirror)

    @property
    def document(self) -> MirroredDocument:
        """The page's copy of the document."""
        return self._mirror.document

    @property
    def connected(self) -> bool:
        """Whether the page has its connection."""
        return self in self._site.pages and self.line.closed is None

    def leave(self) -> None:
        """Close the connection, as a tab that is closed does."""
        if self in self._site.pages:
            self._site.pages.remove(self)
            if self.line.closed is None:
                self._site.perform(lambda: self._site.runtime.disconnect(self.session, self._connection))

    # What the page sends.

    def set(self, model: Any, changes: Sequence[Mapping[str, Any]]) -> None:
        """Set properties of a model: those of each item travel together. Then settle."""

        def send() -> None:
            for values in changes:
                self._exchange.change(*self._mirror.set(model, values))

        self.do(send)

    def fire(self, name: str, model: Any = None, **values: Any) -> None:
        """Send an event of a model, if the application listens to it: others stay in the page. Then settle."""
        if model is None:
            self.do(lambda: self._exchange.change(*self._mirror.event(name, values)))
        elif name in model.subscribed_events:
            self.do(lambda: self._exchange.change(*self._mirror.event(name, {"model": model, **values})))

    def do(self, send: Any) -> None:
        """Call this, which sends messages; then settle, and fail if the application or the server has."""
        self._site.must_be_open()
        if not self.connected:
            raise CannotDo("the page has lost its connection; call reconnect()")
        self._site.perform(send)
        self.check()

    def check(self) -> None:
        """Raise AppFailure if the application failed, CannotDo if the server has refused something."""
        refused = None
        try:
            self._exchange.check()
        except RequestFailed as error:
            refused = error
        if not self._site.check() and refused is not None:
            raise CannotDo(f"the server has refused it: {refused.what}")

    def _send(self, frames: list[Frame]) -> None:
        for opcode, payload in frames:
            try:
                message = self._from_page.feed(opcode, bytes(payload))
            except PeerError as error:
                self._site.runtime.disconnect(self.session, self._connection)
                self.line.close(1009, error.what)
                raise CannotDo(f"the server has closed the connection: {error.what}") from None
            if message is not None:
                self._site.runtime.receive(self.session, self._connection, message)

    # What it receives.

    def take(self) -> None:
        """Take in what the server has sent."""
        for chunk in self.line.read():
            for opcode, payload in self._from_server.feed(chunk):
                message = self._messages.feed(opcode, payload)
                if message is not None and message.msgtype != messages.ACK:
                    self._exchange.receive(message)

    # What the copy says of itself; only what the test changes in it is sent.

    def changed(self, content: bytes, buffers: Sequence[Buffer]) -> None:
        """The test has set a property of a model: send it as JavaScript in the page would."""
        self.do(lambda: self._exchange.change(content, buffers))

    def callback_added(self, callback: SessionCallback) -> None:
        """The copy runs no callbacks of its own."""
        raise CannotDo("add callbacks in the application; here, call advance() or wait_for()")

    def callback_removed(self, ident: str) -> None:
        """There is none."""
