"""Receives the messages of other processes on a listening Unix socket."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from app_server.log_limits import RateLimitedLog
from app_server.processes import ipc
from app_server.processes.ipc import Message, Unreachable

log = logging.getLogger(__name__)

MessageHandler = Callable[[Message, socket.socket], Awaitable[None]]


class MessageServer:
    """Calls `handle(message, sock)` for each connection, in a task of its own, when its message is complete.

    The handler owns the socket; if it raises an error, the socket is closed.
    """

    def __init__(self, handle: MessageHandler) -> None:
        self._handle = handle
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._limited = RateLimitedLog(log)

    @property
    def is_listening(self) -> bool:
        """Whether it has a socket, until it is stopped."""
        return self._listener is not None

    def listen(self, listener: socket.socket) -> None:
        """Take connections from this socket, and no longer from the one before, which is closed."""
        self.stop()
        listener.setblocking(False)
        self._listener = listener
        self._accepting = asyncio.get_running_loop().create_task(self._accept(listener))

    def stop(self) -> None:
        """Close the socket; messages that have begun to arrive are still handled."""
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            # Not only when the task ends: the loop would take the next socket with this number for the closed one.
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
        self._accepting = self._listener = None

    async def drain(self) -> None:
        """Handle the connections in the socket's queue, one after another, and stop; return when all are handled."""
        if self._accepting is not None and self._listener is not None:
            self._accepting.cancel()
            while (sock := _accepted(self._listener)) is not None:
                await self._receive(sock)
        self.stop()
        await self.finish()

    async def finish(self, timeout_s: float | None = None) -> None:
        """Wait for what is being handled, and cancel what is not finished after `timeout_s`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        for task in self._tasks:
            task.cancel()

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            sock = await ipc.accept(listener, self._complain)
            task = asyncio.get_running_loop().create_task(self._receive(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _complain(self, error: OSError) -> None:
        """Say why nothing is accepted: seldom, because one descriptor that is free now and then ends no shortage."""
        self._limited.error(f"Cannot accept messages of other processes: {error.strerror}")

    async def _receive(self, sock: socket.socket) -> None:
        try:
            await self._handle(await ipc.receive(sock), sock)
        except Unreachable as error:
            log.debug("A message did not arrive completely: %s", error)
            sock.close()
        except Exception:
            log.exception("Cannot handle a message of another process; this is a fault of the server")
            sock.close()


def _accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except BlockingIOError:
        return None
