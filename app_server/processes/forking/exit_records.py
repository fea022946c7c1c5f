"""Exit records: why a session's process was killed or crashed, and which elements its page shows.

The process writes down what its page shows while it lives, because it may not get the chance later; the fork server
adds the reason. Both are files beside the session's socket, where every process of the server finds them.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from app_server.files import write_atomically

_KEPT = 500
_KEPT_S = 3600.0
"""A page that comes back later than this gets a new session."""


class ExitReason(Enum):
    """Why a session's process did not come to an orderly end."""

    MEMORY = "memory"
    CPU = "cpu"
    CALLBACK = "callback"
    CRASH = "crash"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """Why a session's process ended; `roots` are the ids of the models that its page has elements for."""

    end: ExitReason
    roots: tuple[str, ...]


def note_page(socket_path: Path, roots: Sequence[str]) -> None:
    """Write down what the page of the session behind this socket shows."""
    write_atomically(_page_file(socket_path), json.dumps(list(roots)), durable=False)


def forget(socket_path: Path) -> None:
    """Delete the note of its page: the session has ended in order."""
    _page_file(socket_path).unlink(missing_ok=True)


def leave(socket_path: Path, end: ExitReason) -> None:
    """Write the exit record of a session's process that has ended for this reason."""
    try:
        roots = json.loads(_page_file(socket_path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # no page was made yet
    write_atomically(_end_file(socket_path), json.dumps({"end": end.value, "roots": roots}), durable=False)
    _page_file(socket_path).unlink(missing_ok=True)


def settled(socket_path: Path) -> bool:
    """Whether the exit record, if there will be one, is written: the session has no process, or none with a page."""
    return not _page_file(socket_path).exists()


def find(socket_path: Path) -> ExitRecord | None:
    """The exit record of the session behind this socket; None if there is none."""
    try:
        found = json.loads(_end_file(socket_path).read_text(encoding="utf-8"))
        return ExitRecord(ExitReason(found["end"]), tuple(map(str, found["roots"])))
    except (OSError, ValueError, KeyError):
        return None


def prune(folder: Path) -> None:
    """Delete exit records that are old, and the oldest if there are too many."""
    found = []
    for path in folder.glob("s-*.end"):
        with contextlib.suppress(FileNotFoundError):
            found.append((path.stat().st_mtime, path))
    found.sort(reverse=True)
    oldest = time.time() - _KEPT_S
    for number, (written, path) in enumerate(found):
        if number >= _KEPT or written < oldest:
            path.unlink(missing_ok=True)


def _page_file(socket_path: Path) -> Path:
    return socket_path.with_name(f"{socket_path.name}.page")


def _end_file(socket_path: Path) -> Path:
    return socket_path.with_name(f"{socket_path.name}.end")
