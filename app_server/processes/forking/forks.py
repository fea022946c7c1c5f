"""Forking a process, and what it must not share with its parent and siblings."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NoReturn

_FAILED = 1
_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that this process gets when its parent ends; 0 for none. Forks do not inherit it."""


def freeze() -> None:
    """Keep the garbage collector away from all present objects: it would touch, and thus copy, shared pages."""
    gc.collect()
    gc.freeze()


def fork(work: Callable[[], int]) -> int:
    """Run `work` in a new process, which ends with the status it returns; the process id, in the parent.

    The new process never returns from here, whatever `work` raises and wherever its output goes: it would run what the
    parent does at its own end. Raises OSError if there can be no new process.
    """
    flush_output()
    # No signal may interrupt the new process before it is inside `_live`.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            _live(work, before)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(work: Callable[[], int], signals: Iterable[int]) -> NoReturn:
    """Run `work` with these signals blocked, and end the process."""
    status = _FAILED
    try:
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
            reseed()
            status = exit_status(work())
        except SystemExit as error:
            status = exit_status(error.code)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        flush_output()
    finally:
        os._exit(status)


def ended_children() -> Iterator[tuple[int, int]]:
    """Each child that has ended by now: its process id, and its exit code, negative for the signal that killed it."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def describe_exit(code: int) -> str:
    """An exit code as a person reads it: "status 3", or the name of the signal for a negative one."""
    if code >= 0:
        return f"status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def exit_status(code: object) -> int:
    """The status of a process that ends with this code, 0 to 255; 1 for anything but a number."""
    return code & 0xFF if isinstance(code, int) else _FAILED


def end_with_parent() -> None:
    """Have the system kill this process when its parent ends, whatever it is doing then; only on Linux."""
    _signal_at_parents_end(int(signal.SIGKILL))


def outlive_parent() -> None:
    """Go on when the parent ends, as processes usually do."""
    _signal_at_parents_end(0)


def _signal_at_parents_end(number: int) -> None:
    prctl = getattr(ctypes.CDLL(None), "prctl", None)  # macOS and the BSDs have none
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, number)


def flush_output() -> None:
    """Write out what was printed, if possible: stdout may be full, closed, None or of another kind."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def reseed() -> None:
    """Give this process random numbers of its own: Python's and, if it is imported, numpy's."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def own_signals() -> None:
    """Drop the parent's signal handlers, and leave the terminal's process group: Ctrl-C is for the parent."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setpgid(0, 0)
