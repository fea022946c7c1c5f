"""Files by their folder's descriptor: drafts, locks, and names that lead elsewhere."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.store.errors import TooLarge
from app_server.store.files.opened import (
    Draft,
    has_name,
    is_locked,
    lock,
    names_in,
    open_locked,
    open_to_read,
    read_whole,
    retried,
    unlink,
    write_all,
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield number
    os.close(number)


def test_a_draft_that_takes_no_name_leaves_nothing(folder: int, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), Draft(folder, "name") as draft:
        write_all(draft.number, b"half")
        raise ValueError("stop")
    assert os.listdir(tmp_path) == []


def test_two_that_list_a_folder_at_once_find_each_name_once(folder: int, tmp_path: Path) -> None:
    names = sorted(f"{number}.view" for number in range(300))
    for name in names:
        (tmp_path / name).touch()
    found: list[list[str]] = []

    def look() -> None:
        found.extend(sorted(names_in(folder)) for _ in range(50))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [names] * 200


def test_a_draft_takes_its_name_in_place_of_what_had_it(folder: int, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"untouched")
    (tmp_path / "name").symlink_to("elsewhere")
    with Draft(folder, "name") as draft:
        write_all(draft.number, b"new")
        number = draft.take_name()
    assert has_name(number, folder, "name")
    os.close(number)
    assert ((tmp_path / "name").read_bytes(), (tmp_path / "elsewhere").read_bytes()) == (b"new", b"untouched")


def test_one_descriptor_has_the_lock(folder: int) -> None:
    first = open_locked(folder, "name", create=True)
    assert first is not None
    with pytest.raises(BlockingIOError):
        open_locked(folder, "name", create=True)
    looking = open_to_read(folder, "name")
    assert looking is not None and is_locked(looking)
    os.close(first)
    assert not is_locked(looking)
    second = open_locked(folder, "name", create=False)
    assert second is not None
    os.close(second)
    os.close(looking)


def test_a_failed_lock_costs_no_descriptor(folder: int) -> None:
    first = open_locked(folder, "name", create=True)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with pytest.raises(BlockingIOError):
            open_locked(folder, "name", create=True)
    assert len(os.listdir("/proc/self/fd")) <= before  # others may have closed some
    assert first is not None
    os.close(first)


def test_attempts_to_lock_are_repeated_while_that_may_help() -> None:
    errors: list[BlockingIOError] = []

    def attempt() -> str:
        if len(errors) < 3:
            errors.append(BlockingIOError(len(errors)))
            raise errors[-1]
        return "locked"

    assert retried(attempt, 60, lambda error: error in errors) == "locked" and len(errors) == 3
    errors.clear()
    with pytest.raises(BlockingIOError) as raised:
        retried(attempt, 60, lambda error: error.args != (1,))
    assert raised.value is errors[1] and len(errors) == 2
    errors.clear()
    with pytest.raises(BlockingIOError):
        retried(attempt, 0, lambda error: True)
    assert len(errors) == 1


def test_what_is_missing_is_none(folder: int) -> None:
    assert open_locked(folder, "name", create=False) is None
    assert open_to_read(folder, "name") is None
    assert unlink(folder, "name") is False


def test_a_deleted_file_has_its_name_no_more(folder: int) -> None:
    number = open_locked(folder, "name", create=True)
    assert number is not None and has_name(number, folder, "name")
    assert unlink(folder, "name") is True
    assert not has_name(number, folder, "name")
    again = open_locked(folder, "name", create=True)
    assert again is not None and not has_name(number, folder, "name")
    for each in (number, again):
        os.close(each)


def test_what_is_not_a_file_is_not_locked(folder: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    number = os.open(tmp_path / "pipe", os.O_RDWR)
    with pytest.raises(OSError, match="not a file"):
        lock(number)
    os.close(number)


def test_reading_stops_at_the_limit(folder: int, tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"12345")
    number = open_to_read(folder, "name")
    assert number is not None
    assert read_whole(number, 5) == b"12345"
    with pytest.raises(TooLarge):
        read_whole(number, 4)
    os.close(number)
