"""The ends of processes, and of a server together with all processes that it has started."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.support.waiting import until


def kill_family(pid: int) -> None:
    """Kill the process and all that it has started; return when they have ended, and none of them writes any more.

    Each is stopped before it is asked for its children, so that it starts no further one meanwhile.
    """
    family = _stopped(psutil.Process(pid))
    for process in family:
        process.kill()
    until(lambda: not any(map(_runs, family)), f"process {pid} and all that it has started have ended")


def has_ended(pid: int) -> bool:
    """Whether there is no such process any more, or only its status."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def _stopped(process: psutil.Process) -> list[psutil.Process]:
    try:
        process.suspend()
        children = process.children()
    except psutil.NoSuchProcess:
        return []
    return [process, *(each for child in children for each in _stopped(child))]


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
