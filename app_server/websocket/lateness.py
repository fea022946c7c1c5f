"""Whether a client has read what it was sent, and a call when one that was late has caught up."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from tornado.ioloop import IOLoop

from app_server.protocol.lag import GIVEN_UP_AFTER_S, UNPROVEN_S, Lag
from app_server.websocket.write_queue import WriteQueue

UNSENT_BYTES = 128 * 1024
"""How many bytes the kernel may hold for a client before it sends them: enough to keep a fast line busy."""

_SLOWEST_BYTES_PER_S = 4096
"""A client that reads more slowly than this, over all that is on its way, and sends nothing, has gone."""


class Lateness:
    """How far one client is behind; `caught_up` is called once after each `wait`, when it is late no longer."""

    def __init__(
        self, sock: socket.socket, queue: WriteQueue, caught_up: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._socket = sock
        self._queue = queue
        self._caught_up = caught_up
        self._clock = clock
        self._loop = IOLoop.current()
        self._timer: object | None = None
        self.lag = Lag()
        self.awaited = False
        """Whether `caught_up` is still to be called."""

    def confirm(self) -> bool:
        """Whether a client that seems late, by `lag`, is: its answer may be here, unread. If it is, wait for it."""
        if self.lag.answers and self._queue.queued_bytes <= UNSENT_BYTES and _has_unread(self._socket):
            return False
        self.wait()
        return True

    def wait(self) -> None:
        """Call `caught_up` once the client is late no longer.

        Its answer says so; if it gives none, the time that has passed does.
        """
        self.awaited = True
        if self._timer is None:
            delay_s = UNPROVEN_S if self.lag.is_unproven(self._clock()) else GIVEN_UP_AFTER_S
            self._timer = self._loop.call_later(delay_s, self._look_again)

    def watch_closely(self) -> None:
        """Note that the client was late indeed."""
        self.lag.was_late(self._clock())

    @property
    def late_by_s(self) -> float:
        """For how long the oldest message that the client has not read, as far as is known, has been on its way."""
        oldest_s = self.lag.oldest_s
        return 0.0 if oldest_s is None else self._clock() - oldest_s

    def has_gone(self, last_sign_s: float, limit_s: float) -> bool:
        """Whether a client with nothing queued, last heard of at `last_sign_s`, has been silent for too long."""
        limit_s += self.lag.unconfirmed_bytes / _SLOWEST_BYTES_PER_S
        if self._clock() - last_sign_s > limit_s:
            return True
        return self.lag.answers and self.late_by_s > 2 * limit_s

    def note_relief(self) -> None:
        """Call `caught_up` if it is awaited and the client is late no longer."""
        if self.awaited and not self.lag.is_late(self._queue.queued_bytes, self._clock()):
            self.awaited = False
            self._caught_up()

    def stop(self) -> None:
        """Call nothing any more."""
        self.awaited = False
        if self._timer is not None:
            self._loop.remove_timeout(self._timer)
            self._timer = None

    def _look_again(self) -> None:
        self._timer = None
        self.note_relief()
        if self.awaited:
            self.wait()


def _has_unread(sock: socket.socket) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])  # Windows', which takes any number of a descriptor
