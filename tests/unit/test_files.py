"""What a file holds, and who may read it, after it was replaced in one step."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from app_server.files import write_atomically


@pytest.mark.parametrize(("content", "written"), [("grün\r\n", "grün\r\n".encode()), (b"\x00\xff", b"\x00\xff")])
def test_content_is_written_as_it_is(content: str | bytes, written: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("much more than comes now", encoding="utf-8")
    write_atomically(path, content)
    assert path.read_bytes() == written
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("old", "asked", "mode"), [(None, None, 0o640), (0o604, None, 0o604), (None, 0o666, 0o666), (0o644, 0o600, 0o600)]
)
def test_mode_is_the_one_asked_for_or_the_old_files_or_what_the_umask_leaves(
    old: int | None, asked: int | None, mode: int, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.touch()
        path.chmod(old)
    before = os.umask(0o027)
    try:
        write_atomically(path, "text", mode=asked)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_gives_the_file_to_the_old_files_owner(
    user: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "fchown", lambda number, owner, group: given.append((owner, group)))
    write_atomically(path, "text")
    assert given == ([(path.stat().st_uid, path.stat().st_gid)] if user == 0 else [])


def test_link_stays_and_its_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "link"
    link.symlink_to("elsewhere/file")
    write_atomically(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_text(encoding="utf-8") == "text"
    assert os.listdir(tmp_path / "elsewhere") == ["file"]


@pytest.mark.parametrize("durable", [True, False])
def test_file_reaches_the_disk_before_it_has_its_name(
    durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(path.exists()))
    write_atomically(path, "text", durable=durable)
    assert synced == ([False] if durable else [])


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
def test_failure_leaves_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")

    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left on device"):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_folder_that_is_missing_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file", "text")


def test_new_file_takes_no_name_that_is_in_use(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to("nothing")
    write_atomically(path, "text", overwrite=False)
    for taken in (path, link):
        with pytest.raises(FileExistsError):
            write_atomically(taken, "more", overwrite=False)
    assert path.read_text(encoding="utf-8") == "text"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_pipes_and_devices_are_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Not a regular file"):
        write_atomically(tmp_path / "pipe", "text")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and os.listdir(tmp_path) == ["pipe"]


def test_new_file_is_made_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_atomically(tmp_path / "new", "text", overwrite=False)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "new", "other", overwrite=False)
    assert os.listdir(tmp_path) == ["new"] and (tmp_path / "new").read_text(encoding="utf-8") == "text"
