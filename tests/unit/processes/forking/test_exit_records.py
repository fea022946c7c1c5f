"""What is left of a session that was ended, in files beside its socket."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app_server.processes.forking import exit_records
from app_server.processes.forking.exit_records import ExitReason, ExitRecord
from app_server.processes.runtime_dir import RuntimeDir


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    """The socket of a session."""
    return RuntimeDir(tmp_path).session_socket("/app", "some session")


def test_the_reason_comes_with_what_the_page_showed_last(socket_path: Path) -> None:
    exit_records.note_page(socket_path, ["p1"])
    exit_records.note_page(socket_path, ["p1", "p2"])
    exit_records.leave(socket_path, ExitReason.MEMORY)
    assert exit_records.find(socket_path) == ExitRecord(ExitReason.MEMORY, ("p1", "p2"))


def test_nothing_is_left_of_an_orderly_end(socket_path: Path) -> None:
    exit_records.note_page(socket_path, ["p1"])
    exit_records.forget(socket_path)
    assert exit_records.find(socket_path) is None
    assert list(socket_path.parent.iterdir()) == []


def test_nothing_is_left_where_no_page_was_made(socket_path: Path) -> None:
    exit_records.leave(socket_path, ExitReason.CRASH)
    assert exit_records.find(socket_path) is None


def test_the_first_reason_counts(socket_path: Path) -> None:
    exit_records.note_page(socket_path, ["p1"])
    exit_records.leave(socket_path, ExitReason.MEMORY)
    exit_records.leave(socket_path, ExitReason.CRASH)
    assert exit_records.find(socket_path) == ExitRecord(ExitReason.MEMORY, ("p1",))


def test_old_remains_are_forgotten(socket_path: Path) -> None:
    exit_records.note_page(socket_path, ["p1"])
    exit_records.leave(socket_path, ExitReason.CPU)
    file = next(socket_path.parent.glob("*.end"))
    yesterday = time.time() - 86400
    os.utime(file, (yesterday, yesterday))
    exit_records.prune(socket_path.parent)
    assert exit_records.find(socket_path) is None


def test_remains_are_no_sessions(socket_path: Path) -> None:
    exit_records.note_page(socket_path, ["p1"])
    exit_records.leave(socket_path, ExitReason.CPU)
    assert RuntimeDir(socket_path.parent).session_sockets() == []


def test_a_session_is_found_by_its_application_and_id_alone(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir(tmp_path)
    assert runtime_dir.session_socket("/app", "one") == runtime_dir.session_socket("/app", "one")
    socket_paths = {runtime_dir.session_socket(*names) for names in (("/app", "one"), ("/app", "two"), ("/b", "one"))}
    assert len(socket_paths) == 3
