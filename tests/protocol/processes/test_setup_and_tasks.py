"""`--setup` in several processes, and the tasks that all of them have scheduled."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.server import running_server
from tests.support.waiting import until

SETUP = """\
import datetime, os, pathlib, panel

folder = pathlib.Path(__file__).parent
with open(folder / "setups", "a") as file:
    file.write(f"{os.getpid()}\\n")
panel.state.cache["loaded by"] = str(os.getpid())


def note():
    with open(folder / "runs", "a") as file:
        file.write(f"{os.getpid()}\\n")


panel.state.schedule_task("note", note, period=datetime.timedelta(seconds=0.05))
"""

APP = """\
import panel
panel.extension()
panel.pane.Str(f"loaded by {panel.state.cache['loaded by']}").servable()
"""


def written(path: Path) -> list[int]:
    """The processes that have written a line, one after another."""
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def words(tmp_path: Path) -> Sequence[str | Path]:
    """An application, and a setup file that notes which processes run it and its task."""
    (tmp_path / "setup.py").write_text(SETUP)
    (tmp_path / "app.py").write_text(APP)
    return tmp_path / "app.py", "--setup", tmp_path / "setup.py"


def test_task_runs_in_one_process_and_in_another_one_after_it(words: Sequence[str | Path], tmp_path: Path) -> None:
    with running_server(*words, "--num-procs", "2"):
        runs = tmp_path / "runs"
        until(lambda: len(written(runs)) >= 10)
        until(lambda: len(set(written(tmp_path / "setups"))) == 2)
        (holder,) = set(written(runs))
        os.kill(holder, signal.SIGKILL)
        until(lambda: set(written(runs)) != {holder})
        (successor,) = set(written(runs)) - {holder}
        count = len(written(runs))
        until(lambda: len(written(runs)) >= count + 10)
        assert set(written(runs)[count:]) == {successor}


def test_task_runs_in_every_process_if_that_is_asked(words: Sequence[str | Path], tmp_path: Path) -> None:
    with running_server(*words, "--num-procs", "2", "--tasks", "every"):
        until(lambda: len(set(written(tmp_path / "runs"))) == 2)


def test_isolated_sessions_have_what_was_loaded_and_run_no_task(words: Sequence[str | Path], tmp_path: Path) -> None:
    with running_server(*words, "--isolation", "process") as server:
        site = Site(server.url)
        # The worker process, and the one that sessions are forked from.
        until(lambda: len(written(tmp_path / "setups")) == 2)
        setups = written(tmp_path / "setups")
        with site.client("/app") as client:
            (text,) = [values["text"] for values in client.attributes.values() if "loaded by" in values.get("text", "")]
            loaded_by = int("".join(filter(str.isdigit, text)))
            assert loaded_by in setups
            count = len(written(tmp_path / "runs"))
            until(lambda: len(written(tmp_path / "runs")) >= count + 5)
        (runner,) = set(written(tmp_path / "runs"))
        assert runner in setups and runner != loaded_by


def test_setup_that_fails_keeps_the_server_from_starting(words: Sequence[str | Path], tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("x = 1\nx / 0\n")
    with pytest.raises(AssertionError, match=r"setup\.py:2: ZeroDivisionError"), running_server(*words):
        pass


def test_processes_of_a_new_release_go_on_with_the_task(words: Sequence[str | Path], tmp_path: Path) -> None:
    with running_server(*words, "--num-procs", "2") as server:
        runs, setups = tmp_path / "runs", tmp_path / "setups"
        until(lambda: written(runs))
        until(lambda: len(written(setups)) == 2)
        first = set(written(setups))
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: len(set(written(setups)) - first) == 2)
        until(lambda: set(written(runs)) - first)
        count = len(written(runs))
        until(lambda: len(written(runs)) >= count + 10)
        assert len(set(written(runs)[-10:])) == 1 and not set(written(runs)[-10:]) & first
