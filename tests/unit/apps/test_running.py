"""What an application sees of the process while its code runs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from app_server.apps.running import process_state


def test_a_block_has_its_folder_and_arguments_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path, argv = list(sys.path), list(sys.argv)
    held_path, held_argv = sys.path, sys.argv
    with process_state(tmp_path / "app", ["script", "--fast"]):
        assert sys.path[0] == str(tmp_path / "app") and sys.argv == ["script", "--fast"]
        assert Path.cwd() == tmp_path
        sys.path = []
        held_argv.append("more")
        os.chdir("/")
    assert (sys.path, sys.argv) == (path, argv) and sys.path is held_path and sys.argv is held_argv
    assert Path.cwd() == tmp_path


def test_what_the_block_raises_comes_through_and_all_is_put_back() -> None:
    path = list(sys.path)
    with pytest.raises(SystemExit), process_state(Path("/nowhere"), []):
        sys.exit(3)
    assert sys.path == path


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_working_directory_that_was_deleted_is_no_fault_of_the_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    if when == "before":
        folder.rmdir()
    with process_state():
        os.chdir("/")
        if when == "during":
            shutil.rmtree(folder)
    assert Path.cwd() == Path("/")
