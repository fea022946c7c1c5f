"""Logs of several programs: whose each line is, which have failed, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.daily.deployed import Line, LogSource, known_name, nothing_runs
from app_server.deployment.daily.following import follow
from app_server.errors import OperatorError
from tests.support.waiting import PATIENCE_S, patience

ROOT = Path(__file__).parents[4]


def source(name: str, script: str) -> LogSource:
    """A shell script whose lines are a log, but for those that begin with `!`."""

    def read(line: str) -> Line | None:
        return None if line.startswith("!") else (name, line)

    return LogSource(name, ("sh", "-c", script), read)


def test_lines_of_all_programs_come_with_their_names() -> None:
    seen: list[Line] = []
    complaints: list[str] = []
    sources = [
        source("one", "echo a; echo b >&2"),
        source("two", "echo c; echo '!lost'; exit 3"),
        source("three", "exit 4"),
    ]
    assert not follow(sources, lambda *line: seen.append(line), complaints.append)
    assert sorted(seen) == [("one", "a"), ("one", "b"), ("two", "c")]
    assert sorted(complaints) == ["three: ended with 4", "two: !lost"]
    assert follow([source("one", "echo a")], lambda *line: None, complaints.append)


def test_line_that_is_written_over_is_shown_as_several() -> None:
    seen: list[Line] = []
    words = ("printf", r"> \r10 %%\r20 %%\r\n> \r\n> \303\n> \303\244\n")
    program = LogSource("one", words, lambda line: ("one", line.removeprefix("> ")))
    assert follow([program], lambda *line: seen.append(line), print)
    assert seen == [("one", "10 %"), ("one", "20 %"), ("one", ""), ("one", "\ufffd"), ("one", "ä")]


def test_no_program_is_left_when_the_reader_leaves(tmp_path: Path) -> None:
    pids: list[int] = []

    def write(name: str, text: str) -> None:
        pids.append(int(text))
        if len(pids) == 2:
            raise KeyboardInterrupt

    script = "echo $$; exec sleep 600"
    with pytest.raises(KeyboardInterrupt):
        follow([source("one", script), source("two", script)], write, print)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_reader_who_leaves_is_not_held_up_by_what_would_come() -> None:
    def write(name: str, text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow([source("one", "yes")], write, print)


ENDED_AT_THE_START = """
import os, signal, subprocess
from app_server.deployment.daily.deployed import LogSource
from app_server.deployment.daily.following import follow

class Popen(subprocess.Popen):
    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        os.kill(os.getpid(), signal.SIGTERM)

def end(number, frame):
    raise SystemExit(128 + number)

signal.signal(signal.SIGTERM, end)
subprocess.Popen = Popen
follow([LogSource("one", ("sleep", "600"), lambda line: None)], print, print)
"""


def test_no_program_is_left_if_a_signal_comes_before_it_is_known() -> None:
    words = [sys.executable, "-c", ENDED_AT_THE_START]
    with subprocess.Popen(words, cwd=ROOT, start_new_session=True) as following:
        assert following.wait(patience(PATIENCE_S)) == 128 + signal.SIGTERM
    left = subprocess.run(["pgrep", "--session", str(following.pid)], capture_output=True, text=True, check=False)
    assert left.stdout == ""


def test_log_goes_on_with_the_next_program_until_the_reader_leaves() -> None:
    seen: list[str] = []
    nexts = iter([None, ("sh", "-c", "echo b"), None, ("sh", "-c", "echo c; exec sleep 600")])

    def write(name: str, text: str) -> None:
        seen.append(text)
        if text == "c":
            raise KeyboardInterrupt

    first = replace(source("one", "echo a"), after=lambda complaint: next(nexts))
    with pytest.raises(KeyboardInterrupt):
        follow([first], write, print)
    assert seen == ["a", "b", "c"]


def test_what_a_program_complains_of_decides_whether_the_log_goes_on() -> None:
    nexts = iter([("sh", "-c", "echo b; echo '!lost'; exit 1"), ("sh", "-c", "echo c; exit 2")])
    asked: list[str | None] = []

    def after(complaint: str | None) -> tuple[str, ...]:
        asked.append(complaint)
        if complaint == "ended with 2":
            raise OperatorError("no container engine answers")
        return next(nexts)

    seen: list[str] = []
    complaints: list[str] = []
    first = replace(source("one", "echo a; echo '!fine'"), after=after)
    assert not follow([first], lambda name, text: seen.append(text), complaints.append)
    assert (seen, asked) == (["a", "b", "c"], [None, "!lost", "ended with 2"])
    assert complaints == ["one: no container engine answers"]


def test_reader_that_fails_does_not_leave_its_log_waiting() -> None:
    def broken(complaint: str | None) -> tuple[str, ...]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        follow([replace(source("one", "echo a"), after=broken)], lambda *line: None, print)
    complaints: list[str] = []
    missing = replace(source("one", "echo a"), after=lambda complaint: ("/no/such/program",))
    assert not follow([missing], lambda *line: None, complaints.append)
    assert complaints == ["one: [Errno 2] No such file or directory: '/no/such/program'"]


def test_missing_program_is_one_line() -> None:
    with pytest.raises(OperatorError) as caught:
        follow([LogSource("one", ("/no/such/program",), lambda line: None)], lambda *line: None, print)
    assert str(caught.value) == "one: /no/such/program is not installed"


def test_instance_that_does_not_exist_is_told_which_do() -> None:
    assert known_name("app-a1", ["a1", "a2"]) == known_name("a1", ["a1"]) == "a1"
    for names, hint in ((["a1", "a2"], "There are a1, a2."), (["a1"], "There is a1."), ([], "There are none.")):
        with pytest.raises(OperatorError) as caught:
            known_name("a9", names)
        assert str(caught.value) == f"a9: the deployment has no such instance. {hint}"
    assert str(nothing_runs("site", "swarm")) == (
        "site: nothing of site runs with swarm. `app-server deploy swarm` rolls it out."
    )
