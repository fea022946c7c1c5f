"""The latest lines of the log and the latest stalls."""

from __future__ import annotations

import logging
from pathlib import Path

from app_server.observe.recent import RecentLog, RecentStalls, read_stall
from app_server.session.naming import LogName

NAME = LogName("/sales session abcdefgh…", application="/sales", session="abcdefghijk")


def line(recent: RecentLog, message: str, *arguments: object, exc_info: object = None) -> None:
    made = logging.makeLogRecord({"name": "x", "levelname": "INFO", "msg": message, "args": arguments})
    made.exc_info = exc_info  # type: ignore[assignment]
    recent.handle(made)


def test_line_says_what_it_is_about() -> None:
    recent = RecentLog()
    line(recent, "%s: ends", NAME)
    (kept,) = recent.lines()
    assert (kept["message"], kept["level"]) == ("/sales session abcdefgh…: ends", "info")
    assert (kept["application"], kept["session"]) == ("/sales", "abcdefgh")


def test_only_the_latest_lines_are_kept() -> None:
    recent = RecentLog(2)
    for number in range(5):
        line(recent, f"line {number}")
    assert [each["message"] for each in recent.lines()] == ["line 3", "line 4"]


def test_traceback_is_kept_with_its_line() -> None:
    recent = RecentLog()
    try:
        raise ValueError("wrong")
    except ValueError as error:
        line(recent, "failed", exc_info=(ValueError, error, error.__traceback__))
    assert recent.lines()[0]["trace"].endswith("ValueError: wrong\n")


def test_long_line_is_cut() -> None:
    recent = RecentLog()
    line(recent, "x" * 10_000)
    assert len(recent.lines()[0]["message"]) == 2000


def test_stall_is_known_while_it_lasts_and_afterwards() -> None:
    recent = RecentStalls()
    recent.began(NAME, 5.0, "stack")
    (stall,) = recent.stalls()
    assert (stall["name"], stall["session"]) == (str(NAME), "abcdefgh")
    assert (stall["lasted_s"], stall["stack"]) == (None, "stack")
    recent.ended(7.5)
    assert recent.stalls()[0]["lasted_s"] == 7.5


def test_stall_that_lasts_can_be_read_from_outside(tmp_path: Path) -> None:
    recent = RecentStalls(tmp_path / "stall")
    assert read_stall(tmp_path / "stall") is None
    recent.began(NAME, 5.0, "stack")
    found = read_stall(tmp_path / "stall")
    assert found is not None and (found["stack"], found["lasted_s"]) == ("stack", None)
    recent.ended(7.5)
    assert read_stall(tmp_path / "stall") is None
    (tmp_path / "stall").write_text("nonsense")
    assert read_stall(tmp_path / "stall") is None


def test_stall_that_ends_before_the_other_thread_has_said_so_does_not_last(tmp_path: Path) -> None:
    recent = RecentStalls(tmp_path / "stall")
    recent.began(NAME, 5.0, "first")
    recent.ended(7.5)
    recent.ended(5.1)  # the loop was quicker than the thread that watches it
    recent.began(NAME, 5.0, "second")
    assert [stall["lasted_s"] for stall in recent.stalls()] == [7.5, 5.1]
    assert read_stall(tmp_path / "stall") is None
    recent.began(NAME, 5.0, "third")
    assert recent.stalls()[-1]["lasted_s"] is None and read_stall(tmp_path / "stall") is not None


def test_stall_that_cannot_be_written_is_remembered_all_the_same(tmp_path: Path) -> None:
    recent = RecentStalls(tmp_path / "no" / "stall")
    recent.began(NAME, 5.0, "stack")
    recent.ended(6.0)
    assert recent.stalls()[0]["lasted_s"] == 6.0


def test_stall_without_a_stack_says_so() -> None:
    recent = RecentStalls()
    recent.unseen(6.0)
    assert recent.stalls()[0]["name"] == "no thread of the process could run"
    assert recent.stalls()[0]["lasted_s"] == 6.0
