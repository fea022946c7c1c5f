"""The CPU priorities of processes, as the kernel gives them; its refusals are those of a user who is not root."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from app_server.processes.forking import priorities
from app_server.processes.forking.priorities import Priorities
from tests.support.priorities import may_raise, policies
from tests.support.unprivileged import not_as_root

BUSY = """
import subprocess, sys, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
child = subprocess.Popen(["sleep", "60"])
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""
NORMAL = os.getpriority(os.PRIO_PROCESS, 0)
LOW = min(NORMAL + 10, 19)


@dataclass(frozen=True)
class Family:
    """A process with a thread, and one that it has started."""

    pid: int
    child: int

    @property
    def policies(self) -> set[int]:
        """Those of all their threads."""
        return {*policies(self.pid), *policies(self.child)}


@pytest.fixture
def family() -> Iterator[Family]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield Family(process.pid, int(process.stdout.readline()))


@contextmanager
def sleeper() -> Iterator[int]:
    """A process that sleeps, and has no limit that allows what its user may not do."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NICE)
    resource.setrlimit(resource.RLIMIT_NICE, (0, hard))
    try:
        process = subprocess.Popen(["sleep", "60"])
    finally:
        resource.setrlimit(resource.RLIMIT_NICE, (soft, hard))
    with process:
        try:
            yield process.pid
        finally:
            process.kill()


def nice(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def test_a_process_with_its_threads_and_what_it_started_runs_when_all_others_wait(family: Family) -> None:
    given = Priorities()
    for _ in range(2):
        given.give(family.pid, low=True)
        if may_raise():
            assert (len(policies(family.pid)), family.policies) == (2, {os.SCHED_IDLE})
            assert (nice(family.pid), nice(family.child)) == (NORMAL, NORMAL)
        else:
            assert (family.policies, nice(family.pid)) == ({os.SCHED_OTHER}, LOW)
        given.give(family.pid, low=False)
        assert family.policies == {os.SCHED_OTHER}


def test_what_was_started_meanwhile_gets_the_normal_priority_too() -> None:
    given = Priorities()
    program = "import os, subprocess, sys; sys.stdin.readline()\nchild = subprocess.Popen(['sleep', '60'])\n"
    program += "print(child.pid, flush=True); sys.stdin.read(); child.kill()"
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        given.give(process.pid, low=True)
        process.stdin.write(b"\n")
        child = int(process.stdout.readline())
        assert policies(child) == [os.SCHED_IDLE if may_raise() else os.SCHED_OTHER]
        given.give(process.pid, low=False)
        assert policies(child) == [os.SCHED_OTHER]


def test_a_user_who_may_not_raise_priorities_lowers_them_late_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    given = Priorities()
    assert given.is_long(0.3)
    with not_as_root():
        for _ in range(2):
            with sleeper() as pid:
                given.give(pid, low=True)
                assert (nice(pid), policies(pid)) == (LOW, [os.SCHED_OTHER])
                given.give(pid, low=False)
                assert (nice(pid), policies(pid)) == (LOW, [os.SCHED_OTHER])
    assert not given.is_long(0.9) and given.is_long(1.1)
    assert caplog.messages == [
        "A session that computes for long keeps a lower CPU priority, because the server's user may not raise it"
        " again. LimitNICE=+0 in a systemd unit, or `ulimit -e 20`, allows it"
    ]


def test_a_system_that_refuses_the_policy_gets_nice_values_that_are_taken_back(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pid: int, policy: int, param: os.sched_param) -> None:  # as a seccomp filter does
        raise PermissionError(1, "Operation not permitted")

    caplog.set_level(logging.INFO)
    given, asked = Priorities(), []
    system = {"setpriority": lambda which, pid, nice: asked.append(nice), "sched_setscheduler": refused}
    monkeypatch.setattr(priorities, "os", types.SimpleNamespace(**vars(os) | system))
    with sleeper() as pid:
        for low in (True, False, True, False):
            given.give(pid, low=low)
    assert asked == [LOW, NORMAL, LOW, NORMAL, LOW, NORMAL] and given.is_long(0.3)
    assert caplog.messages == [
        "A session that computes for long gets a higher nice value: the system refuses SCHED_IDLE"
    ]


def test_a_server_whose_policy_was_chosen_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given, asked = Priorities(), []
    system = {
        "setpriority": lambda which, pid, nice: asked.append(nice),
        "sched_getscheduler": lambda _: os.SCHED_BATCH,
    }
    monkeypatch.setattr(priorities, "os", types.SimpleNamespace(**vars(os) | system))
    with sleeper() as pid:
        given.give(pid, low=True)
    assert asked == [LOW, NORMAL, LOW]


@pytest.mark.parametrize("low", [True, False])
def test_a_process_that_has_just_ended_is_no_error(low: bool) -> None:
    with sleeper() as pid:
        pass
    Priorities().give(pid, low=low)
