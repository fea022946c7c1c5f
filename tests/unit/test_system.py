"""What the system has, and what is said of what it lacks; tests/protocol/running runs the server on other systems."""

from __future__ import annotations

import fcntl
import math
import os
import re
import selectors
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from app_server import system
from app_server.errors import OperatorError
from app_server.system import SharedMemory
from tests.support.waiting import until


def test_linux_has_everything() -> None:
    assert system.NAME == "Linux" and system.UNIX_FAMILY == socket.AF_UNIX
    assert system.can_fork() and system.has_unix_sockets() and system.has_private_folders()
    assert system.reports_processes() and system.has_file_modes()
    assert system.signals_interrupt() and system.threads_have_priorities()
    assert system.most_watched() is None and system.BINARY == 0
    assert system.user_id() == os.geteuid() and system.is_root() is (os.geteuid() == 0)


def test_no_other_module_asks_for_the_name_of_the_system() -> None:
    asks = re.compile(r"\bsys\.platform\b|\bos\.name\b|\bplatform\.system\b")
    root = Path(system.__file__).parent
    files = [file for file in root.rglob("*.py") if file != Path(system.__file__)]
    assert len(files) > 500
    assert not [str(file) for file in files if asks.search(file.read_text(encoding="utf-8"))]


def test_windows_lacks_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((os, "fork"), (os, "geteuid"), (os, "fchown"), (os, "setpriority"), (os, "O_DIRECTORY")):
        monkeypatch.delattr(module, name)
    monkeypatch.setattr(system, "UNIX_FAMILY", -1)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    assert not (system.can_fork() or system.has_unix_sockets() or system.has_private_folders())
    assert not (system.has_file_modes() or system.threads_have_priorities() or system.is_root())
    assert system.user_id() == 0 and system.most_watched() == 480


def test_error_names_the_flag_the_system_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    system.require_processes("--num-procs", "Leave it out.")
    monkeypatch.delattr(os, "fork")
    monkeypatch.setattr(system, "NAME", "Windows")
    with pytest.raises(OperatorError) as caught:
        system.require_processes("--num-procs", "Leave it out.")
    said = "--num-procs: needs several processes (fork), which Windows does not have. Leave it out."
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "environ", "shows"),
    [
        ("Linux", {}, True),
        ("Linux", {"TERM": "dumb"}, False),
        ("Windows", {}, False),
        ("Windows", {"WT_SESSION": "0"}, True),
        ("Windows", {"TERM_PROGRAM": "vscode"}, True),
    ],
)
def test_terminal_that_is_known_for_it_gets_colours(
    name: str, environ: dict[str, str], shows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "NAME", name)
    assert system.shows_colours(environ) is shows


def test_without_resource_nothing_is_limited_or_known(monkeypatch: pytest.MonkeyPatch) -> None:
    soft, hard = system.descriptor_limits()
    assert 0 < soft <= hard and system.peak_memory_bytes() > 10**6
    monkeypatch.setattr(system, "resource", None)
    assert system.descriptor_limits() == (math.inf, math.inf) and system.peak_memory_bytes() == 0
    system.allow_descriptors(1)


def test_macos_reports_its_peak_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    in_kilobytes = system.peak_memory_bytes()
    monkeypatch.setattr(system, "NAME", "macOS")
    assert system.peak_memory_bytes() < in_kilobytes / 500


def test_lock_keeps_others_away(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open() as other:
        assert system.lock(one) and not system.lock(other) and not system.lock(other, shared=True)
        system.unlock(one)
        assert system.lock(one, shared=True) and system.lock(other, shared=True) and not system.lock(one)


def test_file_is_ours_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "fcntl", None)
    with (tmp_path / "file").open("w") as one, (tmp_path / "file").open() as other:
        assert system.lock(one) and system.lock(other, wait=True)
        system.unlock(one)
        fcntl.flock(one, fcntl.LOCK_EX | fcntl.LOCK_NB)


def in_child(work: Callable[[], bool]) -> bool:
    """Whether the work, in a forked process, gives True."""
    pid = os.fork()
    if not pid:
        os._exit(0 if work() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize("lacking", ["nothing", "memory files"])
def test_memory_is_shared_with_forks_and_locked_in_parts(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacking == "memory files":  # macOS
        monkeypatch.delattr(os, "memfd_create")
    shared = SharedMemory("app-server-test", 100)

    def write() -> bool:
        shared.memory[3] = 7
        return not shared.lock(10, 5) and shared.lock(20, 5) and not shared.lock()

    assert shared.lock(10, 5) and in_child(write) and shared.memory[3] == 7
    shared.unlock(10, 5)
    assert in_child(lambda: shared.lock(wait=True)), "the lock of a process that ends goes with it"
    until(shared.lock, "the lock is free")


def test_memory_is_this_process_own_where_there_are_no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "fcntl", None)
    shared = SharedMemory("app-server-test", 100)
    shared.memory[3] = 7
    assert shared.lock() and shared.lock(3, 1, wait=True)
    shared.unlock()


def test_access_is_asked_as_the_user_that_the_process_acts_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    assert system.may_access(file, os.R_OK) and not system.may_access(tmp_path / "none", os.R_OK)
    monkeypatch.setattr(os, "supports_effective_ids", set())
    assert system.may_access(file, os.R_OK)
