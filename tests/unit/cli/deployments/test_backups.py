"""What a backup is about, as far as its command line says so."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from app_server.cli.deployments.backups import in_words, opened_store, subject_of
from app_server.errors import OperatorError
from app_server.settings import Settings


def test_further_file_is_called_by_its_path_or_by_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["users=etc/users", "etc/key", "a/b=c"]
    subject = subject_of(argparse.Namespace(also=words), {"HOME": str(tmp_path)}, "backup", [])
    assert dict(subject.files) == {
        "users": Path("etc/users"),
        f"file:{tmp_path}/etc/key": Path("etc/key"),
        f"file:{tmp_path}/a/b=c": Path("a/b=c"),
    }
    assert subject.settings is None and subject.carrier is None


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(OperatorError) as caught:
        subject_of(argparse.Namespace(also=["a=b", "a=c"]), {}, "backup", [])
    assert str(caught.value) == (
        "--also: two files are called a. Give each a name of its own: --also NAME=c"
    )


def test_store_that_is_missing_is_not_made_for_a_backup(tmp_path: Path) -> None:
    settings = Settings(store=str(tmp_path / "none"))
    with pytest.raises(OperatorError) as caught, opened_store(settings, to_restore=False):
        pass
    assert str(caught.value) == f"--store: {tmp_path}/none does not exist. Name the server's."
    assert not (tmp_path / "none").exists()


def test_one_is_not_several() -> None:
    assert in_words(1, 2) == "1 session, 2 bookmarks" and in_words(0, 1) == "0 sessions, 1 bookmark"
