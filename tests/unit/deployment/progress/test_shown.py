"""Progress as lines, at a terminal and elsewhere, as JSON, and not at all."""

from __future__ import annotations

import json

import pytest

from app_server.deployment.progress.progress import Event, Progress
from app_server.deployment.progress.shown import JsonLines, Lines, line_of, quiet

EVENTS = [
    Event("note", "release 1 of tools"),
    Event("begun", "building the images"),
    Event("output", "#1 DONE 0.1s"),
    Event("now", "#2 RUN x"),
    Event("part", "RUN x", 12.2),
    Event("part", "RUN y"),
    Event("done", "built the images", 14.0),
    Event("failed", "a1 starts", 3.0, ("why", "not")),
]


def test_lines_have_results_and_what_a_failed_step_has_printed() -> None:
    said: list[str] = []
    show = Lines(said.append)
    for event in EVENTS:
        show(event)
    assert said == [
        "release 1 of tools", "    RUN x  12 s", "    RUN y", "  built the images in 14 s",
        "  a1 starts: failed after 3.0 s\n    | why\n    | not",
    ]  # fmt: skip


def test_verbose_lines_have_all_that_is_printed_once() -> None:
    said: list[str] = []
    show = Lines(said.append, verbose=True)
    for event in EVENTS:
        show(event)
    assert "    | #1 DONE 0.1s" in said
    assert said[-1] == "  a1 starts: failed after 3.0 s"


def test_terminal_shows_what_goes_on_until_there_is_a_result() -> None:
    seen: list[tuple[str, str]] = []
    show = Lines(lambda text: seen.append(("line", text)), while_on=lambda text: seen.append(("now", text)))
    for event in EVENTS[:5]:
        show(event)
    assert seen == [
        ("now", ""), ("line", "release 1 of tools"), ("now", "  building the images …"), ("now", "    #2 RUN x"),
        ("now", ""), ("line", "    RUN x  12 s"),
    ]  # fmt: skip


def test_json_is_one_object_a_line() -> None:
    said: list[str] = []
    for event in EVENTS:
        JsonLines(said.append, lambda: "now")(event)
    assert [json.loads(line) for line in said] == [
        {"time": "now", "event": "note", "text": "release 1 of tools"},
        {"time": "now", "event": "step", "state": "begun", "text": "building the images"},
        {"time": "now", "event": "part", "text": "RUN x", "seconds": 12.2},
        {"time": "now", "event": "part", "text": "RUN y"},
        {"time": "now", "event": "step", "state": "done", "text": "built the images", "seconds": 14.0},
        {"time": "now", "event": "step", "state": "failed", "text": "a1 starts", "seconds": 3.0,
         "output": ["why", "not"]},
    ]  # fmt: skip


def test_json_has_what_is_printed_if_it_is_wanted() -> None:
    said: list[str] = []
    JsonLines(said.append, lambda: "now", verbose=True)(EVENTS[2])
    assert json.loads(said[0]) == {"time": "now", "event": "output", "text": "#1 DONE 0.1s"}


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Progress(quiet)("release 1")
    assert capsys.readouterr().out == "" and line_of(EVENTS[3]) is None
