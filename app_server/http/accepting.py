"""Accepts connections while there are free file descriptors; further ones wait until others have ended."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from tornado.ioloop import IOLoop

from app_server import system
from app_server.log_limits import RateLimitedLog

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 128
"""How many connections are accepted in a row before other work runs."""

_SHORTEST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0

SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_HIGHEST_LIMIT: Final = 65536
"""Far more than one process needs; programs that iterate over all descriptors should not iterate over a billion."""

_LARGEST_RESERVE: Final = 64
"""Descriptors reserved from visitors: for files, logs, sockets between our processes and what applications open."""


def raise_descriptor_limit() -> None:
    """Let this process, and those that it forks, open as many files and connections as the system allows it.

    Shells and service managers set a low limit for programs that use select(), which this server does not.
    """
    soft, hard = system.descriptor_limits()
    wanted = min(hard, _HIGHEST_LIMIT)
    if soft < wanted:
        system.allow_descriptors(int(wanted))


class Acceptor:
    """Accepts the connections of one listening socket and gives them to `take`, with their peer's address."""

    def __init__(self, listener: socket.socket, take: Callable[[socket.socket, Any], None]) -> None:
        self._listener = listener
        self._take = take
        self._loop = asyncio.get_running_loop()
        # asyncio's own loop may not watch sockets: on Windows Tornado adds a thread that does.
        self._watcher = IOLoop.current()
        self._most_watched = system.most_watched()
        self._resuming: asyncio.TimerHandle | None = None
        self._pause_s = _SHORTEST_PAUSE_S
        self._stopped = False
        self._limited = RateLimitedLog(log, self._loop.time)
        self._listen()

    def stop(self) -> None:
        """Stop accepting; the socket stays open."""
        self._stopped = True
        if self._resuming is None:
            self._watcher.remove_handler(self._listener.fileno())
        else:
            self._resuming.cancel()

    def take_waiting(self) -> None:
        """Accept what has come by now: who closes the socket resets what waits there."""
        while self._resuming is None and self._accept_some():
            pass  # it ends with what waits, or when descriptors are scarce

    def _listen(self) -> None:
        self._resuming = None
        # The loop takes no notice of what is returned.
        self._watcher.add_handler(self._listener.fileno(), self._accept_some, IOLoop.READ)  # type: ignore[arg-type]

    def _accept_some(self, *event: int) -> bool:
        """Accept as many as are allowed in a row; whether more may wait. An event of the loop tells of the first."""
        for _ in range(_MOST_AT_ONCE):
            if self._stopped:
                return False
            if self._most_watched is not None and len(self._watcher.handlers) >= self._most_watched:  # type: ignore[attr-defined]
                self._pause(_too_many(self._most_watched))
                return False
            try:
                connection, address = self._listener.accept()
            except BlockingIOError:
                self._pause_s = _SHORTEST_PAUSE_S
                return False
            except ConnectionAbortedError:
                continue  # it left while it waited
            except OSError as error:
                if error.errno not in SCARCE:
                    raise
                self._pause(_scarce(error.strerror or str(error)))
                return False
            self._take(connection, address)
            # The system gives the lowest number that is free: this one says how many are taken.
            soft, _ = system.descriptor_limits()
            if connection.fileno() >= soft - min(_LARGEST_RESERVE, soft / 8):
                self._pause(_scarce("few are left"))
                return False
        return True

    def _pause(self, reason: str) -> None:
        self._watcher.remove_handler(self._listener.fileno())
        self._resuming = self._loop.call_later(self._pause_s, self._listen)
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        self._limited.error(reason)


def _scarce(reason: str) -> str:
    soft, _ = system.descriptor_limits()
    return (
        f"Out of file descriptors ({reason}; the limit is {soft:.0f}): new connections wait until others have ended. "
        "Raise the limit, with `ulimit -n` or LimitNOFILE= of the unit."
    )


def _too_many(limit: int) -> str:
    return (
        f"{limit} connections are open, as many as a process of Python can watch on {system.NAME}: new ones wait"
        " until others have ended."
    )
