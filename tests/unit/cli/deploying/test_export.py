"""`app-server export`: the folder, and what is missing on a command line."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main


def test_playbooks_are_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["export", "ansible", str(tmp_path / "plays")]
    assert main(words, {}) == EXIT_OK
    assert capsys.readouterr().out == f"ansible is in {tmp_path}/plays\n"
    assert (tmp_path / "plays/roles/app_server/tasks/main.yml").is_file()
    assert main(words, {}) == EXIT_FAILED
    assert capsys.readouterr().err == f"app-server: {tmp_path}/plays: exists already. Name a new folder.\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "WHAT: expected one of ansible, images, scenes, examples. For example: app-server export ansible ansible"),
        (["ansible"], "DIR: is required. For example: app-server export ansible ansible"),
        (["imges", "x"], "WHAT: expected one of ansible, images, scenes, examples, not 'imges'. Did you mean images?"),
    ],
)
def test_missing_or_misspelt_words_are_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"


def test_nothing_is_left_of_what_could_not_be_written_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*words: object, **more: object) -> None:
        (tmp_path / "plays" / "part").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copytree", full)
        assert main(["export", "ansible", str(tmp_path / "plays")], {}) == EXIT_FAILED
    assert capsys.readouterr().err == f"app-server: {tmp_path}/plays: cannot be written: No space left on device\n"
    assert not (tmp_path / "plays").exists()
    (tmp_path / "link").symlink_to("nowhere")
    for name, said in (("link", "exists already. Name a new folder."), ("x" * 256, "cannot be written: File name too")):
        assert main(["export", "ansible", str(tmp_path / name)], {}) == EXIT_FAILED
        assert f"{name}: {said}" in capsys.readouterr().err
