"""The log of the main process, or of a fork server, which answer no questions: the console reads it from a file."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from app_server.observe.logs import Stamp
from app_server.observe.recent import LINES, as_fields

_MOST_BYTES = 512 * 1024


class MainLog(logging.Handler):
    """Writes the lines of the process that made it to a file of bounded size, and none of those that it forks."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addFilter(Stamp())
        self._path = path
        self._pid = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Write this line; a full disk loses it."""
        if os.getpid() != self._pid:
            return
        try:
            self._write(json.dumps(as_fields(record)) + "\n")
        except OSError:
            pass  # the log itself has it
        except Exception:
            self.handleError(record)

    def _write(self, line: str) -> None:
        full = self._path.exists() and self._path.stat().st_size > _MOST_BYTES
        with self._path.open("w" if full else "a", encoding="utf-8") as file:
            file.write(line)


def read_main_log(path: Path) -> list[Mapping[str, Any]]:
    """The latest lines in such a file; none if it does not exist."""
    with suppress(OSError):
        lines = path.read_bytes().splitlines()[-LINES:]
        return [fields for line in lines if (fields := _fields(line)) is not None]
    return []


def _fields(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None  # cut off
    return found if isinstance(found, dict) else None
