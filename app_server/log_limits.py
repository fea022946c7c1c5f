"""Lines of the log that would be written again and again, such as while the system lacks something."""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import Logger
from typing import Final

_LINE_EVERY_S: Final = 60.0


class RateLimitedLog:
    """Writes errors to a log, but none that it has written within the last minute, by a clock of seconds."""

    def __init__(self, log: Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._written_s: dict[str, float] = {}

    def error(self, text: str) -> None:
        """Log this, unless it was logged here within the last minute."""
        now_s = self._clock()
        recent = {known: at_s for known, at_s in self._written_s.items() if now_s - at_s < _LINE_EVERY_S}
        if text not in recent:
            self._log.error("%s", text)
            recent[text] = now_s
        self._written_s = recent
