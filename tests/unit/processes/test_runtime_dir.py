"""The folder of a running server."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from app_server.errors import OperatorError, TransientError
from app_server.processes.forking.forks import fork
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir, base_directory, discard, running


def test_only_the_process_that_made_the_folder_removes_it(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make({VARIABLE: str(tmp_path)})
    (runtime_dir.folder / "socket").touch()

    def work() -> int:
        runtime_dir.remove()
        return 0

    os.waitpid(fork(work), 0)
    RuntimeDir(runtime_dir.folder).remove()
    RuntimeDir.join(tmp_path, os.getpid()).remove()
    assert (runtime_dir.folder / "socket").exists()
    runtime_dir.remove()
    assert not runtime_dir.folder.exists()


def test_directory_of_all_users_is_refused_and_stays_open(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "of another user").mkdir()
    with pytest.raises(OperatorError) as caught:
        RuntimeDir.make({VARIABLE: str(shared)})
    assert str(caught.value) == (
        f"APP_SERVER_RUNTIME_DIR: {shared} is a directory of all users."
        f" Name a directory of this user's own, such as {shared}/app-server."
    )
    assert shared.stat().st_mode & 0o7777 == 0o1777


def base_of(tmp_path: Path) -> dict[str, str]:
    """An environment with a directory for servers."""
    return {VARIABLE: str(tmp_path / "run")}


def test_who_is_asked_for_the_directory(tmp_path: Path) -> None:
    assert (
        base_directory({"RUNTIME_DIRECTORY": "/tmp", "XDG_RUNTIME_DIR": "/tmp"} | base_of(tmp_path)) == tmp_path / "run"
    )
    fallback = Path(tempfile.gettempdir()) / f"app-server-{os.geteuid()}"
    assert base_directory({"XDG_RUNTIME_DIR": str(tmp_path / "none")}) == fallback
    assert base_directory({}) == fallback


def test_a_short_runtime_directory_that_can_be_written_is_taken() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        assert base_directory({"XDG_RUNTIME_DIR": folder}) == Path(folder) / "app-server"
        assert base_directory({"RUNTIME_DIRECTORY": f"{folder}:/other"}) == Path(folder) / "app-server"


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o755), (0o750, 0o750), (0o777, 0o755), (0o1777, 0o755)])
def test_others_cannot_write_where_a_servers_folder_is_and_may_read_what_they_could(
    tmp_path: Path, before: int, after: int
) -> None:
    """Such as /run, /srv, or a tmpfs that a container has just got."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(before)
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == after
    assert stat.S_IMODE(runtime_dir.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("how", ["link", "owner"])
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    base = tmp_path / "run"
    if how == "link":
        (tmp_path / "theirs").mkdir()
        base.symlink_to(tmp_path / "theirs")
    else:
        base.mkdir()
        monkeypatch.setattr(os, "geteuid", lambda: base.stat().st_uid + 1)
    for make in (
        lambda: RuntimeDir.make(base_of(tmp_path)),
        lambda: RuntimeDir.join(base, 7),
        RuntimeDir(base / "7").restore,
    ):
        with pytest.raises(OperatorError) as caught:
            make()
        assert str(caught.value) == (
            f"{VARIABLE}: {base} belongs to another user. Name a directory of this user's own with {VARIABLE}."
        )


def test_a_directory_that_cannot_be_made_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(TransientError) as caught:
        RuntimeDir.make(base_of(tmp_path))
    assert str(caught.value) == (
        f"{VARIABLE}: {tmp_path}/run cannot hold the server's sockets: File exists. Name a directory that this user can"
        f" write to with {VARIABLE}."
    )


def test_a_path_that_is_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    base = tmp_path / ("long" * 20)
    with pytest.raises(OperatorError) as caught:
        RuntimeDir.make({VARIABLE: str(base)})
    assert str(caught.value) == (
        f"{VARIABLE}: {base} is too long a path for Unix sockets. Name a directory with a short path with {VARIABLE}."
    )


def test_what_crashed_servers_left_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    base = tmp_path / "run"
    dead, living, other = base / str(2**22 + 1), base / "1", base / "1-backup"
    for folder in (dead, living, other, base / str(os.getpid()), base / "notes"):
        folder.mkdir(parents=True)
        (folder / "old").touch()
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    assert not dead.exists() and (living / "old").exists() and (other / "old").exists()
    assert list(runtime_dir.folder.iterdir()) == []
    (base / str(2**22 + 2)).mkdir()
    (base / "3").touch()
    assert [(pid, found.folder) for pid, found in running(base_of(tmp_path))] == sorted(
        [(1, living), (os.getpid(), runtime_dir.folder)], key=lambda each: str(each[0])
    )


def test_only_one_process_moves_slots_and_nobody_waits_for_it(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    with runtime_dir.lock() as first, runtime_dir.lock() as second:
        assert first and not second
    with runtime_dir.lock() as again:
        assert again
    shutil.rmtree(runtime_dir.folder)
    with runtime_dir.lock() as lost:
        assert not lost


def test_a_slot_is_moved_in_one_step_also_past_what_a_crash_has_left(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    assert runtime_dir.holder(0) is None
    (runtime_dir.folder / f".slot-0-{os.getpid()}").symlink_to("left")
    for socket_path in (runtime_dir.socket_path(0, 7), runtime_dir.socket_path(1, 8)):
        runtime_dir.give(0, socket_path)
        assert runtime_dir.holder(0) == socket_path
    assert runtime_dir.process_of(runtime_dir.socket_path(12, 345).name) == (12, 345)
    assert runtime_dir.is_slot(runtime_dir.slot(0)) and not runtime_dir.is_slot(runtime_dir.socket_path(0, 7))
    runtime_dir.socket_path(0, 7).touch()
    assert runtime_dir.socket_paths() == []  # no socket


def test_sessions_are_found_by_their_names_which_do_not_say_their_ids(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    one, other = runtime_dir.session_socket("/app", "secret"), runtime_dir.session_socket("/other", "secret")
    assert one != other != runtime_dir.session_socket("/app", "\ud800") and "secret" not in one.name
    for name in (one.name, f"{one.name}.page", f"{one.name}.end"):
        (runtime_dir.folder / name).touch()
    assert runtime_dir.session_sockets() == [one]


def test_what_cannot_be_deleted_is_left(tmp_path: Path) -> None:
    (tmp_path / "socket").touch()
    discard(tmp_path / "socket")
    discard(tmp_path / "socket")
    discard(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_folder_is_made_again_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime_dir = RuntimeDir.make(base_of(tmp_path))
    runtime_dir.restore()
    assert caplog.messages == []
    shutil.rmtree(runtime_dir.folder.parent)
    runtime_dir.restore()
    assert runtime_dir.folder.is_dir()
    assert caplog.messages == [f"The runtime directory {runtime_dir.folder} was deleted; created it again"]
