"""Sessions for programs that wait in an event loop.

The rule: the document changes only in the loop's thread, between two steps of the program, whenever the server sends
a change; so it may have changed after any `await`. What the program changes is sent at once.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Unpack

from app_server.client.common import Options, SessionBase
from app_server.client.errors import ClientError, ConnectionLost, NoAnswer, ProtocolViolation
from app_server.client.link import Link, open_link
from app_server.document.callbacks import SessionCallback
from app_server.document.remote import MirroredDocument
from app_server.protocol import messages
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message

log = logging.getLogger(__name__)


class AsyncClientSession(SessionBase):
    """One connection to a session on a server, and a copy of its document; `open_session` makes it.

    Callbacks of the document run in the loop, and what they raise is logged.
    """

    _link: Link | None = None
    _timer: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Whether the session can be used now: opened, not closed, and not lost."""
        return self._link is not None and self._lost is None

    async def connect(self) -> None:
        """Open the connection, unless it is open. `pull` and `push` do so too."""
        if self._lost is not None:
            raise self._lost.with_traceback(None)
        if self._link is not None:
            return
        self._link = await open_link(self._opening)
        self._loop = asyncio.get_running_loop()
        self._thread_ident = threading.get_ident()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tick: asyncio.Future[None] = self._loop.create_future()
        self._reader = asyncio.create_task(self._read(self._link))

    async def pull(self) -> None:
        """Fill `document` with the content of the session on the server, in place of its own."""
        await self.connect()
        mirror = self._mirror_for(None)
        await self._answer(messages.PULL_DOC_REQ, self._exchange.pull(mirror))
        self._mirror = mirror

    async def push(self, document: MirroredDocument | None = None) -> None:
        """Replace the server's document by `document`, or by the session's own, or by an empty one."""
        mirror = self._mirror_for(document)
        await self.connect()
        # Before the answer has come, since the program's other tasks may change the document meanwhile.
        self._mirror = mirror
        await self._answer(messages.PUSH_DOC, self._exchange.push(mirror))

    async def request_server_info(self) -> dict[str, Any]:
        """The versions of bokeh and of the server, as `{"version_info": {"bokeh": …, "server": …}}`."""
        self._check_living()
        answer = await self._answer(messages.SERVER_INFO_REQ, self._exchange.ask(messages.SERVER_INFO_REQ))
        return dict(answer.content)

    async def force_roundtrip(self) -> None:
        """Wait until the server has all that was changed here, and all that it sent before its answer is applied.

        Raises RequestFailed if the server did not carry out a change.
        """
        await self.request_server_info()
        self._exchange.check()

    async def wait_for(self, until: Callable[[], bool], timeout_s: float | None = None) -> None:
        """Return when `until()` is true, which is checked after every message; NoAnswer after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                while not until():
                    if self._lost is not None:
                        raise self._lost.with_traceback(None)
                    await asyncio.shield(self._tick)
        except TimeoutError as error:
            if isinstance(error, ClientError):
                raise
            raise self._no_answer("the condition was not met", timeout_s) from None

    async def wait_closed(self) -> None:
        """Return when the connection has ended, by either side."""
        while self.connected:
            await asyncio.shield(self._tick)

    async def close(self, why: str = "closed") -> None:
        """Send what is queued and close the connection; the document keeps its state."""
        link, self._link = self._link, None
        if link is None:
            return
        self._end(self._closed_error())
        await asyncio.sleep(0)  # what other threads have changed before is on its way to the link
        await link.close(1000, why)
        await asyncio.gather(self._reader, return_exceptions=True)

    def _check_living(self) -> None:
        if self._lost is not None:
            raise self._lost.with_traceback(None)
        if self._link is None:
            raise ClientError("the session is not connected", where=self.url, hint="Call pull() or push() first.")

    async def _answer(self, msgtype: str, ident: str) -> Message:
        try:
            await self.wait_for(lambda: self._exchange.answered(ident), self._timeout_s)
            return self._exchange.answer(ident)
        except NoAnswer:
            raise self._no_answer(f"the server has not answered a {msgtype}", self._timeout_s) from None
        finally:
            self._exchange.abandon(ident)

    def _no_answer(self, what: str, timeout_s: float | None) -> NoAnswer:
        return NoAnswer(f"{what} within {timeout_s:g} s", where=self.url, hint="Wait longer with timeout_s.")

    async def _read(self, link: Link) -> None:
        try:
            while True:
                self._receive(await link.receive())
        except (ConnectionLost, ProtocolViolation) as error:
            if self._lost is None:
                log.warning("%s", error)
                self._end(error)
            await link.hang_up(1000 if isinstance(error, ConnectionLost) else 1002)
        except Exception:
            log.exception("%s: the session failed; this is a fault of the client", self.url)
            self._end(ConnectionLost("the session failed; see the log", where=self.url))
            await link.hang_up(1011)

    def _receive(self, message: Message) -> None:
        if self._lost is not None:
            self._exchange.finish(message)
            return
        try:
            self._exchange.receive(message)
        except ProtocolViolation:
            raise
        except Exception:
            log.exception("%s: a callback of the document raised an exception; the session continues", self.url)
        self._wake_up()

    def _wake_up(self) -> None:
        tick, self._tick = self._tick, self._loop.create_future()
        tick.set_result(None)

    def _end(self, error: ClientError) -> None:
        self._lost = error
        self._agenda.clear()
        if self._timer is not None:
            self._timer.cancel()
        if self._mirror is not None:
            self._mirror.stop_listening()
        self._wake_up()

    def _agenda_changed(self) -> None:
        if self._link is not None:
            self._loop.call_soon_threadsafe(self._set_timer)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due_s = self._agenda.next_due_s()
        if due_s is not None:
            self._timer = self._loop.call_later(max(0.0, due_s - time.monotonic()), self._run_due)

    def _run_due(self) -> None:
        callback = self._agenda.take(time.monotonic())
        if callback is not None:
            self._call(callback)
        self._set_timer()

    def _call(self, callback: SessionCallback) -> None:
        try:
            result = callback.function()
        except Exception:
            log.exception("%s: a %s callback raised an exception", self.url, callback.timing.value)
            return
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(self._finish(result, callback.timing.value))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _finish(self, awaitable: Awaitable[Any], name: str) -> None:
        try:
            await awaitable
        except Exception:
            log.exception("%s: a %s callback raised an exception", self.url, name)

    def _send(self, frames: list[Frame]) -> None:
        link = self._link
        if link is None:
            return
        if threading.get_ident() == self._thread_ident:
            link.send(frames)
        else:
            self._loop.call_soon_threadsafe(link.send, frames)


class open_session:
    """A session in an event loop: `async with open_session(url) as session:`, or `await open_session(url)`.

    It pulls the session's document, or pushes `document` if that is given. The other options are those of
    `pull_session`.
    """

    def __init__(
        self,
        url: str = "default",
        session_id: str | None = None,
        *,
        document: MirroredDocument | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._session = AsyncClientSession(session_id, url, **options)
        self._document = document

    async def _open(self) -> AsyncClientSession:
        session = self._session
        try:
            await (session.pull() if self._document is None else session.push(self._document))
        except BaseException:
            await session.close()
            raise
        return session

    def __await__(self) -> Generator[Any, None, AsyncClientSession]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncClientSession:
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()
