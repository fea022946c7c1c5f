"""Processes that are forked: whatever happens in one, it ends there, and never runs what its parent does next."""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app_server.processes.forking.forks import end_with_parent, exit_status, flush_output, fork, outlive_parent
from tests.support.servers.family import has_ended
from tests.support.waiting import until


class Broken(io.StringIO):
    """An output that raises whenever it is flushed or written to."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        """Raise."""
        raise self.error

    def write(self, text: str, /) -> int:
        """Raise."""
        raise self.error


def closed() -> io.StringIO:
    """An output that was closed."""
    stream = io.StringIO()
    stream.close()
    return stream


def status_of(work: Callable[[], Any]) -> int:
    """The status of a process forked for this work; the test fails if that process gets out of `fork`."""
    parent = os.getpid()
    try:
        pid = fork(work)
    finally:
        if os.getpid() != parent:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def raising(error: BaseException) -> Callable[[], int]:
    """Work that raises this."""

    def work() -> int:
        sys.stderr = io.StringIO()
        raise error

    return work


OUTPUTS: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "closed": closed,
    "full": lambda: Broken(OSError),
    "without flush": object,
    "exits": lambda: Broken(SystemExit),
    "interrupted": lambda: Broken(KeyboardInterrupt),
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_an_output_that_the_work_leaves_behind_ends_the_process_all_the_same(
    output: Callable[[], Any], name: str
) -> None:
    def work() -> int:
        setattr(sys, name, output())
        return 7

    # What flush() raises beside Exception is somebody's wish to end this process.
    assert status_of(work) == 7


@pytest.mark.parametrize("output", [None, closed(), Broken(OSError), object()])
def test_an_output_that_was_there_before_does_not_keep_a_process_from_starting(
    output: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", output)
    flush_output()
    assert status_of(lambda: 7) == 7


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SystemExit(5), 5), (SystemExit("a reason"), 1), (SystemExit(2**70 + 3), 3), (KeyboardInterrupt(), 1),
        (GeneratorExit(), 1), (ValueError(), 1), (RecursionError(), 1), (MemoryError(), 1),
    ],
)  # fmt: skip
def test_what_the_work_raises_ends_the_process(error: BaseException, status: int) -> None:
    assert status_of(raising(error)) == status


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_a_hook_for_exceptions_that_fails_itself_ends_the_process(error: type[BaseException]) -> None:
    def work() -> int:
        def hook(*_: object) -> None:
            raise error

        sys.excepthook = hook
        raise ValueError

    assert status_of(work) == 1


@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (256, 0), (-1, 255), (2**70, 0), (None, 1), ("text", 1), (1.5, 1)]
)
def test_a_status_is_a_byte(code: object, status: int) -> None:
    assert exit_status(code) == status
    assert status_of(lambda: code) == status


def test_a_signal_that_comes_at_once_ends_the_process_and_not_the_work_of_its_parent(tmp_path: Path) -> None:
    def work() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return 7

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert status_of(work) in (1, 7)
    finally:
        signal.signal(signal.SIGINT, before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@pytest.mark.parametrize("outlives", [False, True])
def test_process_ends_with_its_parent_unless_it_was_let_go(outlives: bool) -> None:
    reading, writing = os.pipe()

    def wait() -> int:
        end_with_parent()
        if outlives:
            outlive_parent()
        os.write(writing, b"+")  # it has asked for its end by now
        signal.pause()
        return 0

    def begin() -> int:
        pid = fork(wait)
        os.read(reading, 1)
        os.write(writing, f"{pid}\n".encode())
        return 0

    assert status_of(begin) == 0
    pid = int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)
    if outlives:
        assert not has_ended(pid)
        os.kill(pid, signal.SIGKILL)
    until(lambda: has_ended(pid), "the process has ended")


def test_process_lives_on_where_the_system_cannot_end_it_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # as on macOS, whose library has no prctl

    def work() -> int:
        end_with_parent()
        outlive_parent()
        return 7

    assert status_of(work) == 7
