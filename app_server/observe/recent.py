"""What a process remembers for the console: its latest log lines, and what has lately blocked its loop."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from app_server.files import write_atomically
from app_server.observe.logs import SHORT, Stamp
from app_server.session.naming import LogName

LINES = 500
"""How many lines of the log a process keeps; a line takes about half a kilobyte."""

_STALLS = 20
_LONGEST_MESSAGE = 2000
_LONGEST_TRACE = 8000


class RecentLog(logging.Handler):
    """Keeps the latest lines of the log, as JSON can carry them."""

    def __init__(self, lines: int = LINES) -> None:
        super().__init__()
        self.addFilter(Stamp())
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep this line."""
        try:
            self._lines.append(as_fields(record))
        except Exception:
            self.handleError(record)

    def lines(self) -> list[Mapping[str, Any]]:
        """What is kept, the oldest first."""
        return list(self._lines)


def as_fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """A line of the log that `Stamp` has seen, as JSON can carry it."""
    trace = record.exc_text or ""
    if record.exc_info and record.exc_info[1] is not None:
        trace = "".join(traceback.format_exception(record.exc_info[1]))
    return {
        "at_s": record.created,
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage()[:_LONGEST_MESSAGE],
        "trace": trace[-_LONGEST_TRACE:],
        "application": getattr(record, "application", ""),
        "session": getattr(record, "session", ""),
        "request": getattr(record, "request_id", ""),
    }


class RecentStalls:
    """The latest times that a loop was blocked, each with the stack of its thread; may be used in any thread.

    While the loop is blocked, the process answers no questions: what blocks it is in the file at `path`, if there is
    one, until the loop runs again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._stalls: deque[dict[str, Any]] = deque(maxlen=_STALLS)
        self._path = path
        self._lock = threading.Lock()
        self._ended_early_s: float | None = None

    def began(self, name: LogName, overdue_s: float, stack: str) -> None:
        """The loop has been blocked for `overdue_s`, by the work of this name; perhaps it has just ended."""
        stall: dict[str, Any] = {
            "at_s": time.time() - overdue_s, "lasted_s": None, "name": str(name), "application": name.application,
            "session": name.session[:SHORT], "stack": stack[-_LONGEST_TRACE:],
        }  # fmt: skip
        with self._lock:
            stall["lasted_s"], self._ended_early_s = self._ended_early_s, None
            self._stalls.append(stall)
            if self._path is not None and stall["lasted_s"] is None:
                with suppress(OSError):
                    write_atomically(self._path, json.dumps(stall), mode=0o600, durable=False)

    def ended(self, lasted_s: float) -> None:
        """The loop runs again; this may come before the other thread has said that it was blocked."""
        with self._lock:
            if not self._stalls or self._stalls[-1]["lasted_s"] is not None:
                self._ended_early_s = lasted_s
                return
            self._stalls[-1]["lasted_s"] = lasted_s
            if self._path is not None:
                with suppress(OSError):
                    self._path.unlink(missing_ok=True)

    def unseen(self, lasted_s: float) -> None:
        """The loop was late, and no other thread could run meanwhile, so the stack is not known."""
        name = LogName("no thread of the process could run", application="")
        self.began(name, lasted_s, "")
        self.ended(lasted_s)

    def stalls(self) -> list[Mapping[str, Any]]:
        """What is kept, the oldest first."""
        return [dict(stall) for stall in list(self._stalls)]


def read_stall(path: Path) -> Mapping[str, Any] | None:
    """What a process has written there about the stall that it is in; None if there is none, or it is over."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
