"""What is shown while a load test goes on."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from app_server.cli.load_tests.progress import progress_for, screen
from app_server.load.meter import Measured
from app_server.load.ramp import Limits
from app_server.load.statistics import Spread

URL = "http://localhost:5006/app"


def stage(people: int, p99_s: float = 0.05) -> Measured:
    return Measured(people, 6.0, Spread(people, 0.1, 0.2), Spread(60, 0.01, p99_s), 60)


class Terminal(io.StringIO):
    """A stream that someone is watching."""

    def isatty(self) -> bool:
        return True


def test_each_stage_is_printed_once_where_no_one_is_watching(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_for(URL, Limits(), {}) as progress:
        for now, stages in (("5", []), ("5", [stage(5)]), ("8", [stage(5)]), ("8", [stage(5), stage(8)])):
            progress(now, stages)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Testing {URL} ..." and lines[1].split()[0] == "people"
    assert [line.split()[0] for line in lines[2:]] == ["5", "8"]


def test_table_grows_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_for(URL, Limits(), {"TERM": "xterm"}) as progress:
        progress("8 people", [stage(5), stage(8, 0.5)])
    assert f"{URL}  8 people" in terminal.getvalue() and "0.5 s" in terminal.getvalue()


def test_stage_that_was_too_much_is_marked() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard", width=100)
    console.print(screen(URL, Limits(), "8 people", [stage(5), stage(8, 0.5)]))
    file: Any = console.file
    good, bad = file.getvalue().splitlines()[-3:-1]
    assert "31m" in bad and "31m" not in good
