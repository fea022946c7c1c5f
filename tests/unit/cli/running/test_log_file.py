"""The log on a full disk, and in a folder that is deleted and made again."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import pytest

from app_server.cli.running.log_file import LogFile


def line(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, "", 0, text, None, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logs"
    made.mkdir()
    return made


def test_lines_that_a_full_disk_does_not_take_are_lost_with_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile("/dev/full")
    for number in range(3):
        handler.emit(line(f"line {number}"))
    handler.close()
    assert capsys.readouterr().err == (
        "app-server: --log-file: /dev/full cannot be written: No space left on device."
        " Lines of the log are lost until it can be written.\n"
    )


def test_a_log_whose_folder_is_deleted_goes_on_when_it_is_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = LogFile(str(folder / "log"))
    handler.emit(line("one"))
    shutil.rmtree(folder)
    handler.emit(line("two"))
    handler.emit(line("three"))
    folder.mkdir()
    handler.emit(line("four"))
    handler.close()
    assert (folder / "log").read_text() == (
        f"four\n2 lines of the log were lost, because {folder / 'log'} could not be written\n"
    )
    assert capsys.readouterr().err.count("\n") == 1


def test_a_log_that_was_rotated_goes_on_in_a_new_file(folder: Path) -> None:
    handler = LogFile(str(folder / "log"))
    handler.emit(line("one"))
    os.rename(folder / "log", folder / "log.1")
    handler.emit(line("two"))
    handler.close()
    assert ((folder / "log.1").read_text(), (folder / "log").read_text()) == ("one\n", "two\n")


def test_a_line_that_cannot_be_made_is_told_as_python_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(str(folder / "log"))
    handler.emit(logging.LogRecord("test", logging.INFO, "", 0, "%d", ("no number",), None))
    handler.close()
    assert "--- Logging error ---" in capsys.readouterr().err
