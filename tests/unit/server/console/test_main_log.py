"""The main process's log, as the console reads it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from app_server.server.console.main_log import MainLog, read_main_log


def line(handler: MainLog, message: str) -> None:
    handler.handle(logging.makeLogRecord({"name": "x", "levelname": "ERROR", "msg": message}))


def test_lines_are_read_back(tmp_path: Path) -> None:
    handler = MainLog(tmp_path / "log")
    line(handler, "Worker 1 ended")
    line(handler, "two\nlines")
    assert [each["message"] for each in read_main_log(tmp_path / "log")] == ["Worker 1 ended", "two\nlines"]
    assert read_main_log(tmp_path / "log")[0]["level"] == "error"


def test_forked_process_writes_nothing(tmp_path: Path) -> None:
    handler = MainLog(tmp_path / "log")
    if (pid := os.fork()) == 0:
        line(handler, "of the child")
        os._exit(0)
    os.waitpid(pid, 0)
    assert read_main_log(tmp_path / "log") == []


def test_file_does_not_grow_for_ever(tmp_path: Path) -> None:
    handler = MainLog(tmp_path / "log")
    for _ in range(400):
        line(handler, "x" * 2000)
    assert (tmp_path / "log").stat().st_size < 600_000


def test_cut_line_and_missing_folder_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "log").write_text('{"message": "whole"}\n[1]\n{"message": "cu')
    assert read_main_log(tmp_path / "log") == [{"message": "whole"}]
    line(MainLog(tmp_path / "no" / "log"), "lost")


def test_line_with_wrong_arguments_is_reported_and_does_not_fail_in_its_caller(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    MainLog(tmp_path / "log").handle(logging.makeLogRecord({"msg": "%d workers", "args": ("two",)}))
    assert read_main_log(tmp_path / "log") == []
    assert "TypeError: %d format: a real number is required, not str" in capsys.readouterr().err
