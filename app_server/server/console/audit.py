"""What operators have done: who, when, what, on what, and what came of it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app_server.errors import OperatorError, in_one_line

log = logging.getLogger(__name__)

_KEPT = 200
_READ_BYTES = 256 * 1024

Entry = Mapping[str, Any]


def check_audit_file(path: str | None) -> None:
    """Raise OperatorError if the file cannot be written."""
    if path is not None:
        os.close(_opened(path))


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}", where="--console-audit") from None


class Audit:
    """Keeps the latest acts of operators, writes each to the log, and to a file if there is one."""

    def __init__(self, path: str | None, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._entries: deque[Entry] = deque(_read(path), maxlen=_KEPT)

    def note(self, who: str, act: str, on: str, result: str) -> None:
        """An operator has done something. The file is opened each time: it may have been rotated."""
        time_text = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")[:-6] + "Z"
        entry = {"time": time_text, "who": who, "act": act, "on": on, "result": result}
        self._entries.append(entry)
        log.info("Operator %s: %s, on %s: %s", *(in_one_line(text) for text in (who, act, on, result)))
        if self._path is not None:
            self._write(self._path, json.dumps(entry, ensure_ascii=False))

    def _write(self, path: str, line: str) -> None:
        try:
            number = _opened(path)
            try:
                os.write(number, line.encode("utf-8", "backslashreplace") + b"\n")
            finally:
                os.close(number)
        except (OperatorError, OSError) as error:
            log.error("What an operator did is only in the log: %s", error)

    def entries(self) -> list[Entry]:
        """What is kept, the oldest first."""
        return list(self._entries)


def _read(path: str | None) -> list[Entry]:
    """The latest entries of a file that other runs of the server have written."""
    if path is None:
        return []
    with suppress(OSError), Path(path).open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _READ_BYTES))
        return [entry for line in file.read().splitlines()[-_KEPT:] if (entry := _entry(line)) is not None]
    return []


def _entry(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    names = ("time", "who", "act", "on", "result")
    if not isinstance(found, dict) or not found.keys() >= set(names):
        return None
    return {name: str(found[name]) for name in names}
