"""Processes as the kernel tells of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest

from app_server.processes.forking.proc import ProcessIdentity
from tests.support.waiting import patience


def test_a_process_knows_itself() -> None:
    own = ProcessIdentity.own()
    assert own.pid == os.getpid() and own.lives
    assert own.cpu_s() > 0


def test_another_process_with_the_same_id_is_somebody_else() -> None:
    other = replace(ProcessIdentity.own(), started=ProcessIdentity.own().started + 1)
    assert not other.lives
    assert not other.signal(signal.SIGKILL)
    assert other.cpu_s() == 0


@pytest.mark.parametrize("name", ["plain", "with ) and (blanks"])
def test_a_process_that_has_ended_lives_no_more_although_nobody_has_noted_it(name: str) -> None:
    process = subprocess.Popen(["bash", "-c", f"exec -a {name!r} sleep 60"])
    try:
        started = int(open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[19])
        identity = ProcessIdentity(process.pid, started)
        assert identity.lives
        assert identity.signal(signal.SIGKILL)
        deadline_s = time.monotonic() + patience(5)
        while identity.lives:  # a zombie from now on
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert not identity.signal(signal.SIGTERM)
    finally:
        process.wait()
