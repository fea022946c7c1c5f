"""Programs end when they are asked to, or are killed."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from app_server import programs
from tests.support.waiting import patience

_WAITING = "import signal, sys\n{}\nprint('there', flush=True)\nsignal.pause()"


def started(setup: str = "") -> subprocess.Popen[str]:
    """A program that waits for a signal, having run this first."""
    process = subprocess.Popen([sys.executable, "-c", _WAITING.format(setup)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "there\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_program_that_heeds_the_signal_is_not_killed(number: int) -> None:
    with started() as process:
        programs.end(process, patience(10), number)
    assert process.returncode == -number


def test_program_that_ignores_the_signal_is_killed() -> None:
    with started("signal.signal(signal.SIGTERM, signal.SIG_IGN)") as process:
        programs.end(process, 0.05)
    assert process.returncode == -signal.SIGKILL


def test_program_that_has_ended_is_left_as_it_is() -> None:
    with started("print('there', flush=True); sys.exit(3)") as process:
        process.wait(patience(10))
        programs.end(process, 0.0)
    assert process.returncode == 3


def test_program_in_front_has_its_status_and_gets_ctrl_c_itself() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert programs.run_in_front(["sh", "-c", "exit 7"]) == 7
    assert programs.run_in_front(["sh", "-c", "kill -TERM $$"]) == 128 + signal.SIGTERM
    # What arrives here ends neither this program nor the one in front; that one can still be ended by its own.
    assert programs.run_in_front(["sh", "-c", "kill -INT $PPID; exit 5"]) == 5
    assert programs.run_in_front(["sh", "-c", "kill -INT $$; exit 5"]) == 128 + signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before
