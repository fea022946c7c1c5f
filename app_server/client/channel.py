"""A link in a thread of its own, which answers pings while its program does something else.

The thread reads and writes messages, nothing more: it never touches a document.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from app_server.client.link import Link, open_link
from app_server.client.opening import Opening
from app_server.protocol.codec import Frame
from app_server.protocol.messages import Message

MAX_WAITING_MESSAGES: Final = 10_000
"""How many messages are read ahead of the program. Beyond that the server has to wait, and may disconnect."""

_END_PATIENCE_S: Final = 15.0
"""Longer than a link takes to end."""


class Channel:
    """Starts a thread that opens the link; `take` returns messages and raises errors in their order."""

    def __init__(self, opening: Opening) -> None:
        self.open = False
        self._inbox: queue.SimpleQueue[Message | BaseException | None] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._link: Link | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._closing = asyncio.Event()
        self._why = "closed"
        self._thread = threading.Thread(target=self._run, args=(opening,), name="app-server client", daemon=True)
        self._thread.start()

    def _run(self, opening: Opening) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve(opening))
        except BaseException as error:  # a thread that waits in `take` must get it
            self._inbox.put(error)
        finally:
            self.open = False

    async def _serve(self, opening: Opening) -> None:
        closing = asyncio.create_task(self._closing.wait())
        opened = asyncio.create_task(open_link(opening))
        await asyncio.wait({opened, closing}, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            opened.cancel()
            return
        link = self._link = await opened
        self.open = True
        self._inbox.put(None)
        reading = asyncio.create_task(self._read(link))
        await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
        self.open = False
        await (link.hang_up if reading.done() else link.close)(1000, self._why)
        closing.cancel()
        await reading  # it ends with the error that `take` raises

    async def _read(self, link: Link) -> None:
        while True:
            message = await link.receive()
            self._inbox.put(message)
            if self._inbox.qsize() > MAX_WAITING_MESSAGES and not self._closing.is_set():
                self._room.clear()
                await self._room.wait()

    def send(self, frames: Sequence[Frame]) -> None:
        """Send a message, in the order of the calls; from any thread. Does nothing if the link has ended."""
        link = self._link
        if link is not None:
            self._call(lambda: link.send(frames))

    def wake(self) -> None:
        """Let `take` return None once; from any thread."""
        self._inbox.put(None)

    def take(self, timeout_s: float | None) -> Message | None:
        """The next message; None for none within `timeout_s`, when the link has opened, and when woken.

        Raises ClientError when the link could not be opened or has ended.
        """
        try:
            item = self._inbox.get(timeout=None if timeout_s is None else max(0.0, timeout_s))
        except queue.Empty:
            return None
        if not self._room.is_set() and self._inbox.qsize() <= MAX_WAITING_MESSAGES // 2:
            self._call(self._room.set)
        if isinstance(item, BaseException):
            raise item
        return item

    def waiting(self) -> bool:
        """Whether `take` would return, or raise, at once."""
        return not self._inbox.empty()

    def close_soon(self, why: str = "closed") -> None:
        """Send what is queued and end, without waiting; from any thread."""
        self._why = why
        self._call(self._end)

    def close(self, why: str = "closed") -> None:
        """Send what is queued, and end."""
        self.close_soon(why)
        if threading.current_thread() is not self._thread:
            self._thread.join(_END_PATIENCE_S)

    def _end(self) -> None:
        self._closing.set()
        self._room.set()

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function)
