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
    """`caught_up` is called once after `is_late` was true, or `has_room` false, when that has changed."""

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
        """Whether the owner waits for the client to catch up."""

    def is_late(self) -> bool:
        """Whether the client has yet to read what it was sent."""
        lag, queued_bytes = self.lag, self._queue.queued_bytes
        if not lag.is_late(queued_bytes, self._clock()):
            return False
        if lag.answers and queued_bytes <= UNSENT_BYTES and _has_unread(self._socket):
            return False  # its answer may be here already
        self._await()
        return True

    def has_room(self) -> bool:
        """Whether a client that was late may be sent more."""
        if self.is_late() or not self.lag.has_room(self._queue.queued_bytes):
            self._await()
            return False
        return True

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

    def _await(self) -> None:
        """Wait for the client's answer; if it gives none, look again after a while."""
        self.awaited = True
        if self._timer is None:
            delay_s = UNPROVEN_S if self.lag.is_unproven(self._clock()) else GIVEN_UP_AFTER_S
            self._timer = self._loop.call_later(delay_s, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.note_relief()
        if self.awaited:
            self._await()


def _has_unread(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
