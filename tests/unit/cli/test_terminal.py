"""What is written to a terminal, and to a pipe whose reader has left."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from app_server.cli.terminal import WIDEST_COLUMNS, Paint, columns, complain, paint_for, replacing
from app_server.errors import OperatorError, OperatorErrors


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {}, True), (Terminal(), {"NO_COLOR": "1"}, False), (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "dumb"}, False), (io.StringIO(), {}, False),
    ],
)  # fmt: skip
def test_colours_are_for_terminals(stream: io.StringIO, environ: dict[str, str], coloured: bool) -> None:
    assert paint_for(stream, environ).coloured is coloured


def test_text_is_put_into_a_colour() -> None:
    assert Paint(True)("fault", "x") == "\x1b[1;31mx\x1b[0m"
    assert Paint(True)("fault", "") == "" and Paint(False)("fault", "x") == "x"


def test_lines_are_no_longer_than_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert columns() == WIDEST_COLUMNS
    monkeypatch.setenv("COLUMNS", "60")
    assert columns() == 60


def test_line_of_a_terminal_is_replaced_and_is_not_too_long_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    write = replacing(terminal, {})
    assert write is not None
    write("x" * 100)
    write("")
    assert terminal.getvalue() == f"\r\x1b[K{'x' * 59}\r\x1b[K"
    assert replacing(io.StringIO(), {}) is None and replacing(Terminal(), {"TERM": "dumb"}) is None


def test_each_of_several_errors_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    complain(OperatorErrors([OperatorError("one\n  of two lines"), OperatorError("two", where="a")]), {})
    assert capsys.readouterr().err == "app-server: one of two lines\napp-server: a: two\n"


def test_reader_that_has_left_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = "from app_server.cli.terminal import say; say('x'); say('y')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_error_does_not_send_codes_of_a_file_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    complain(OperatorError("is not a setting", where="pyproject.toml:1: \x1b[31mred\u202e"), {})
    assert capsys.readouterr().err == "app-server: pyproject.toml:1: \\x1b[31mred\\u202e: is not a setting\n"
