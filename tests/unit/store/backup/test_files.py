"""Files of a backup: read with their owners, written where they are said to belong, never over others."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.store.backup.archive import Member
from app_server.store.backup.files import owner_of, plan_files, read_file, restore_files


def test_file_comes_back_with_its_content_and_mode(tmp_path: Path) -> None:
    path, new = tmp_path / "key", tmp_path / "new" / "folder" / "key"
    path.write_bytes(b"secret\n")
    path.chmod(0o640)
    member = read_file("secrets.secret_key", path)
    assert (member.data, member.mode, member.ids[0]) == (b"secret\n", 0o640, os.getuid())
    lines = list(restore_files(plan_files([member], {"secrets.secret_key": new}, overwrite=False)))
    assert lines == [f"secrets.secret_key: restored to {new}"]
    assert (new.read_bytes(), stat.S_IMODE(new.stat().st_mode)) == (b"secret\n", 0o640)
    assert list(restore_files(plan_files([member], {"secrets.secret_key": new}, overwrite=False))) == [
        f"secrets.secret_key: {new} is as it was"
    ]


def test_file_for_all_is_not_for_all_afterwards(tmp_path: Path) -> None:
    member = Member("file", "a", b"x", 0.0, 0o777, ids=(os.getuid(), os.getgid()))
    list(restore_files(plan_files([member], {"a": tmp_path / "a"}, overwrite=False)))
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o750


def test_other_file_is_replaced_only_if_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"other")
    (tmp_path / "c").symlink_to("nowhere")
    found = [Member("file", "a", b"x"), Member("file", "b", b"x"), Member("file", "elsewhere", b"x")]
    places = {"a": tmp_path / "a", "b": tmp_path / "b"}
    with pytest.raises(OperatorError) as caught:
        plan_files(found, places, overwrite=False)
    assert str(caught.value) == (
        f"{tmp_path}/b: exists, and is not what the backup has. "
        "Nothing was restored. Move it away, or replace such files with --force."
    )
    with pytest.raises(OperatorError, match="exists"):
        plan_files([Member("file", "c", b"x")], {"c": tmp_path / "c"}, overwrite=False)
    assert not (tmp_path / "a").exists()
    found = [replace(each, ids=(os.getuid(), os.getgid())) for each in found]
    assert len(list(restore_files(plan_files(found, places, overwrite=True)))) == 2
    assert (tmp_path / "b").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["missing", "folder", "pipe"])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OperatorError) as caught:
        read_file("a", tmp_path / name)
    assert caught.value.where == str(tmp_path / name)


def test_owner_is_found_by_name_and_only_containers_users_by_number() -> None:
    member = Member("file", "a", b"", owner="root", group="root", ids=(4711, 4712))
    assert owner_of(member) == (0, 0)
    assert owner_of(replace(member, owner="no-such-user", group="no-such-group")) == (0, 0)
    assert owner_of(replace(member, owner="", group="")) == (4711, 4712)


def test_link_stays_and_what_it_leads_to_is_restored(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("key")
    member = Member("file", "a", b"x", 0.0, 0o640, ids=(os.getuid(), 10001 if os.getuid() == 0 else os.getgid()))
    list(restore_files(plan_files([member], {"a": tmp_path / "link"}, overwrite=True)))
    about = (tmp_path / "key").stat()
    assert (tmp_path / "link").is_symlink() and (tmp_path / "key").read_bytes() == b"x"
    assert (stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid) == (0o640, *member.ids)


def test_folders_and_pipes_are_never_replaced_and_two_files_do_not_share_a_place(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OperatorError, match="is not a file. Nothing was restored"):
            plan_files([Member("file", "a", b"x")], {"a": tmp_path / name}, overwrite=True)
    found, places = [Member("file", "a", b"x"), Member("file", "b", b"y")], dict.fromkeys("ab", tmp_path / "new")
    with pytest.raises(OperatorError, match="is named for both a and b, which differ"):
        plan_files(found, places, overwrite=True)
    assert len(plan_files([found[0], replace(found[1], data=b"x")], places, overwrite=True)) == 2
