"""Notes which clients are slow, and logs when one becomes slow and when it has caught up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Mapping

from app_server.engine.sinks import FrameSink
from app_server.session.connection import Connection
from app_server.session.naming import LogName

log = logging.getLogger(__name__)

_SLOW_AFTER_S = 2.0
_CAUGHT_UP_AFTER_S = 5.0
"""A client that was late again and again for so long is slow; one that was not late for so long has caught up."""

_LOG_EVERY_S = 60.0
"""A client that changes between the two is logged this often at most."""


class _Delay:
    """Since when a client is late again and again, and what was logged about it."""

    def __init__(self, now_s: float) -> None:
        self._since_s = self._last_s = now_s
        self._logged_s: float | None = None
        self._callbacks = 0
        self._timer: asyncio.Handle | None = None

    def go_on(self, now_s: float) -> None:
        """The client is late again; one that was not late for a while, and is not slow, begins to be late now."""
        if self._logged_s is None and now_s - self._last_s > _SLOW_AFTER_S:
            self._since_s = now_s
        self._last_s = now_s

    def callback_waits(self) -> None:
        """A callback waits for the client."""
        self._callbacks += 1

    def is_to_be_logged(self, now_s: float) -> bool:
        """Whether the client is slow by now, and was not logged as slow a moment ago."""
        if self._timer is not None or now_s - self._since_s < _SLOW_AFTER_S:
            return False
        return self._logged_s is None or now_s - self._logged_s >= _LOG_EVERY_S

    def logged(self, now_s: float) -> None:
        """The client was logged as slow."""
        self._logged_s, self._callbacks = now_s, 0

    def look_again(self, look: Callable[[], None]) -> None:
        """Call `look` when the client may have caught up."""
        self._timer = asyncio.get_running_loop().call_later(_CAUGHT_UP_AFTER_S, look)

    def was_late(self, now_s: float) -> bool:
        """Whether the client was late a short while ago."""
        return now_s - self._last_s < _CAUGHT_UP_AFTER_S

    def end(self, now_s: float) -> int:
        """The client has caught up; how many callbacks have waited for it."""
        self._timer, self._since_s = None, now_s
        return self._callbacks

    def forget(self) -> None:
        """The client has gone."""
        if self._timer is not None:
            self._timer.cancel()


class SlowClients:
    """The clients of one application that are late, with their `sinks` and those that have a backlog."""

    def __init__(
        self, sinks: Mapping[Connection, FrameSink], backlogs: Container[Connection], clock: Callable[[], float]
    ) -> None:
        self._sinks = sinks
        self._backlogs = backlogs
        self._clock = clock
        self._names: dict[Connection, LogName] = {}
        self._delays: dict[Connection, _Delay] = {}

    def connect(self, connection: Connection, name: LogName) -> None:
        """A client has come, to the session of this name."""
        self._names[connection] = name

    def disconnect(self, connection: Connection) -> None:
        """A client has gone."""
        self._names.pop(connection, None)
        delay = self._delays.pop(connection, None)
        if delay is not None:
            delay.forget()

    def callback_waits(self, connection: Connection) -> None:
        """A callback has begun to wait for a client."""
        self.note_late(connection)
        self._delays[connection].callback_waits()

    def note_late(self, connection: Connection) -> None:
        """Something was held back for a client; log it if that has been going on for a while."""
        now_s = self._clock()
        self._sinks[connection].watch_closely()
        delay = self._delays.get(connection)
        if delay is None:
            delay = self._delays[connection] = _Delay(now_s)
        delay.go_on(now_s)
        if delay.is_to_be_logged(now_s):
            self._log_slow(connection, delay, now_s)

    def _log_slow(self, connection: Connection, delay: _Delay, now_s: float) -> None:
        delay.logged(now_s)
        log.warning(
            "%s: the client at %s reads more slowly than the application sends (%.1f s behind); it now gets "
            "only the newest values, and periodic callbacks wait until a client keeps up",
            self._names[connection], connection.remote or "an unknown address", self._sinks[connection].late_by_s,
        )  # fmt: skip
        delay.look_again(lambda: self._look_again(connection))

    def _look_again(self, connection: Connection) -> None:
        """Log that a slow client has caught up, if it has."""
        delay, now_s = self._delays[connection], self._clock()
        if self._sinks[connection].is_late or connection in self._backlogs or delay.was_late(now_s):
            delay.look_again(lambda: self._look_again(connection))
            return
        log.info(
            "%s: the client at %s keeps up again; callbacks waited for it %d times",
            self._names[connection], connection.remote or "an unknown address", delay.end(now_s),
        )  # fmt: skip
