"""Which process runs a task: one holds its lock, until it ends or stops."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app_server.processes.task_claims import TaskClaims


def test_task_is_of_the_first_that_claims_it(tmp_path: Path) -> None:
    one, other = TaskClaims(tmp_path), TaskClaims(tmp_path)
    assert one.mine("report") and not other.mine("report")
    assert other.mine("another") and not one.mine("another")
    assert one.mine("report") and not other.mine("report")


def test_other_process_goes_on_after_the_first_has_stopped(tmp_path: Path) -> None:
    one, other = TaskClaims(tmp_path), TaskClaims(tmp_path)
    assert one.mine("report") and not other.mine("report")
    one.release()
    assert other.mine("report") and not one.mine("report")


def test_killed_process_holds_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        TaskClaims(tmp_path).mine("report")
        os.write(writer, b"+")
        os.read(os.pipe()[0], 1)  # until it is killed
    os.read(reader, 1)
    try:
        own = TaskClaims(tmp_path)
        assert not own.mine("report")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(reader)
        os.close(writer)
    assert own.mine("report")


def test_cancelling_is_known_to_all_and_is_over_for_what_comes_later(tmp_path: Path) -> None:
    one, other = TaskClaims(tmp_path), TaskClaims(tmp_path)
    before = time.time_ns()
    assert not other.cancelled("report", before)
    one.cancel("report")
    assert other.cancelled("report", before) and one.cancelled("report", before)
    assert not other.cancelled("another", before)
    assert not other.cancelled("report", time.time_ns() + 1)


def test_deleted_folder_lets_the_lock_be_taken_again(tmp_path: Path) -> None:
    one, other = TaskClaims(tmp_path), TaskClaims(tmp_path)
    assert one.mine("report")
    for file in tmp_path.iterdir():
        file.unlink()
    assert other.mine("report")
    assert not one.mine("report")


def test_task_runs_rather_twice_than_never(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    claims = TaskClaims(tmp_path / "gone")
    assert claims.mine("report")
    claims.cancel("report")
    assert "Task report may run in several processes" in caplog.text
