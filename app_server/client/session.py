"""Sessions for programs that wait in a thread: scripts, tests, Flask and Django views, notebooks.

The rule: the document changes only in calls of the session's own methods, in the thread that makes them. What the
server sends is read and kept meanwhile, and applied in order by the next `force_roundtrip`, `sync`, `run`, `pull`,
`push` or `request_server_info`. What the program changes is sent at once.
"""

from __future__ import annotations

import inspect
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from app_server.client.address import Arguments
from app_server.client.channel import Channel
from app_server.client.common import SessionBase
from app_server.client.errors import ClientError, ConnectionLost, NoAnswer, ProtocolViolation
from app_server.client.opening import MAX_MESSAGE_BYTES, TIMEOUT_S, Verify
from app_server.document.callbacks import SessionCallback
from app_server.document.remote import MirroredDocument
from app_server.protocol import messages
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message


class ClientSession(SessionBase):
    """One connection to a session on a server, and a copy of its document. Use it as a context manager, or close it.

    One thread at a time may call it or change its document; other threads may use the document's
    `add_next_tick_callback`, whose callbacks `run` runs.
    """

    _channel: Channel | None = None
    _receiving = False

    @property
    def connected(self) -> bool:
        """Whether the session can be used now: opened, not closed, and not lost."""
        return self._channel is not None and self._channel.open and self._lost is None

    def connect(self) -> None:
        """Open the connection, unless it is open. `pull` and `push` do so too."""
        if self._lost is not None:
            raise self._lost.with_traceback(None)
        if self._channel is not None:
            return
        channel = Channel(self._opening)
        try:
            while not channel.open:
                channel.take(None)
        except BaseException:
            channel.close_soon()
            raise
        self._postponed: deque[Message] = deque()
        self._channel = channel
        self._finalizer = weakref.finalize(self, channel.close_soon)

    def pull(self) -> None:
        """Fill `document` with the content of the session on the server, in place of its own."""
        self._not_in_callback("pull")
        self.connect()
        mirror = self._mirror_for(None)
        self._wait(messages.PULL_DOC_REQ, self._exchange.pull(mirror))
        self._mirror = mirror

    def push(self, document: MirroredDocument | None = None) -> None:
        """Replace the server's document by `document`, or by the session's own, or by an empty one."""
        self._not_in_callback("push")
        mirror = self._mirror_for(document)
        self.connect()
        self._wait(messages.PUSH_DOC, self._exchange.push(mirror))
        self._mirror = mirror

    def request_server_info(self) -> dict[str, Any]:
        """The versions of bokeh and of the server, as `{"version_info": {"bokeh": …, "server": …}}`."""
        self._living()
        return dict(self._wait(messages.SERVER_INFO_REQ, self._exchange.ask(messages.SERVER_INFO_REQ)).content)

    def force_roundtrip(self) -> None:
        """Wait until the server has all that was changed here, and apply all that it has sent before its answer.

        Raises RequestFailed if the server did not carry out a change.
        """
        self.request_server_info()
        self._exchange.check()

    def sync(self) -> None:
        """Apply what the server has sent so far, without waiting for more."""
        channel = self._living()
        while self._postponed or channel.waiting():
            self._step(0)
        self._exchange.check()

    def run(self, until: Callable[[], bool] | None = None, timeout_s: float | None = None) -> None:
        """Apply what the server sends, and run the document's callbacks, until `until()` is true.

        Without `until` it goes on until the connection ends, or for `timeout_s`. With it, it raises NoAnswer after
        `timeout_s`, and ConnectionLost if the connection ends before.
        """
        self._not_in_callback("run")
        self._living()
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while until is None or not until():
            now_s = time.monotonic()
            if end_s is not None and now_s >= end_s:
                if until is None:
                    return
                raise self._no_answer("the condition was not met", timeout_s)
            callback = self._agenda.take(now_s)
            if callback is not None:
                self._call(callback)
            ends = [moment for moment in (end_s, self._agenda.next_due_s()) if moment is not None]
            try:
                self._step(0 if callback is not None else min(ends) - now_s if ends else None)
            except ConnectionLost:
                if until is None:
                    return
                raise
        self._exchange.check()

    def close(self, why: str = "closed") -> None:
        """Send what is queued and close the connection; the document keeps its state."""
        channel, self._channel = self._channel, None
        if channel is None:
            return
        self._lost = self._lost or self._closed_error()
        self._let_go()
        self._finalizer.detach()
        channel.close(why)
        try:
            while channel.waiting():
                message = channel.take(0)
                if message is not None:
                    self._exchange.finish(message)
        except ClientError:
            return  # the end of the connection, which was asked for

    def __enter__(self) -> ClientSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait(self, msgtype: str, ident: str) -> Message:
        """The answer to the request of this id; what comes before it is applied."""
        end_s = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        try:
            while not self._exchange.answered(ident):
                left_s = None if end_s is None else end_s - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise self._no_answer(f"the server has not answered a {msgtype}", self._timeout_s)
                self._step(left_s)
            return self._exchange.answer(ident)
        finally:
            self._exchange.abandon(ident)

    def _step(self, timeout_s: float | None) -> None:
        """Take in one message, if one comes within the time."""
        channel = self._living()
        if self._postponed and not self._receiving:
            self._receive(self._postponed.popleft())
            return
        try:
            message = channel.take(timeout_s)
        except ClientError as error:
            self._lost = error
            self._let_go()
            raise
        if message is not None:
            self._receive(message)

    def _receive(self, message: Message) -> None:
        if self._receiving:
            # A callback of the program's waits for an answer. The patch that it is called for is not done yet, so
            # the next one must wait.
            if message.msgtype == messages.PATCH_DOC:
                self._postponed.append(message)
            else:
                self._exchange.receive(message)
            return
        self._receiving = True
        try:
            self._exchange.receive(message)
        except ProtocolViolation as error:
            # The two documents are no longer the same, and nothing makes them so again.
            self._lost = error
            self._let_go()
            if self._channel is not None:
                self._channel.close_soon("a message could not be applied")
            raise
        finally:
            self._receiving = False

    def _call(self, callback: SessionCallback) -> None:
        result = callback.function()
        if inspect.iscoroutine(result):
            result.close()
            raise ClientError(
                f"a {callback.timing.value} callback is asynchronous", where=self.url, hint="Use open_session() for it."
            )

    def _living(self) -> Channel:
        if self._lost is not None:
            raise self._lost.with_traceback(None)
        if self._channel is None:
            raise ClientError("the session is not connected", where=self.url, hint="Call pull() or push() first.")
        return self._channel

    def _not_in_callback(self, name: str) -> None:
        if self._receiving:
            raise ClientError(f"{name}() was called by a callback of the document", where=self.url)

    def _no_answer(self, what: str, timeout_s: float | None) -> NoAnswer:
        return NoAnswer(f"{what} within {timeout_s:g} s", where=self.url, hint="Wait longer with timeout_s.")

    def _let_go(self) -> None:
        self._agenda.clear()
        if self._mirror is not None:
            self._mirror.stop_listening()

    def _agenda_changed(self) -> None:
        channel = self._channel
        if channel is not None:
            channel.wake()

    def _send(self, frames: list[Frame]) -> None:
        channel = self._channel
        if channel is not None:
            channel.send(frames)


def pull_session(
    session_id: str | None = None,
    url: str = "default",
    io_loop: Any = None,
    arguments: Arguments | None = None,
    max_message_size: int = MAX_MESSAGE_BYTES,
    *,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    token: str | None = None,
    verify: Verify = True,
    unix_socket: str | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> ClientSession:
    """A session whose document was loaded from the server; the application builds it if the id is new.

    `arguments`, `headers` and `cookies` are what the application sees of the request. `io_loop` is there for programs
    written for `bokeh.client`, and not used: a session has a loop of its own.
    """
    session = ClientSession(
        session_id,
        url,
        arguments=arguments,
        headers=headers,
        cookies=cookies,
        token=token,
        max_message_size=max_message_size,
        verify=verify,
        unix_socket=unix_socket,
        timeout_s=timeout_s,
    )
    return _begun(session, session.pull)


def push_session(
    document: MirroredDocument,
    session_id: str | None = None,
    url: str = "default",
    io_loop: Any = None,
    max_message_size: int = MAX_MESSAGE_BYTES,
    *,
    arguments: Arguments | None = None,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    token: str | None = None,
    verify: Verify = True,
    unix_socket: str | None = None,
    timeout_s: float | None = TIMEOUT_S,
) -> ClientSession:
    """A session whose document on the server was replaced by this one, and follows it from now on."""
    session = ClientSession(
        session_id,
        url,
        arguments=arguments,
        headers=headers,
        cookies=cookies,
        token=token,
        max_message_size=max_message_size,
        verify=verify,
        unix_socket=unix_socket,
        timeout_s=timeout_s,
    )
    return _begun(session, lambda: session.push(document))


def _begun(session: ClientSession, begin: Callable[[], None]) -> ClientSession:
    try:
        begin()
    except BaseException:
        session.close()
        raise
    return session


def show_session(
    session_id: str | None = None,
    url: str = "default",
    session: ClientSession | None = None,
    browser: str | None = None,
    new: str = "tab",
) -> None:
    """Show a session in a browser: `session`, or the one of this id at `url`, which is built if it is not there."""
    if session is None:
        session = ClientSession(session_id, url)
    session.show(browser=browser, new=new)
