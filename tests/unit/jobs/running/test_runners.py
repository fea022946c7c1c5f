"""Functions in processes that are started for them: what comes back, and how they end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest

from app_server.jobs.errors import JobCancelled, JobDied, JobError, NotSendable, WorkFailed
from app_server.jobs.running.packing import pack
from app_server.jobs.running.runners import ProcessRunner, ThreadRunner
from app_server.jobs.work import Work
from tests.support.waiting import until
from tests.unit.jobs.making import (
    dies_before_its_fork,
    exits,
    fails,
    fails_oddly,
    forever,
    forks,
    gone,
    hands_out_a_coroutine,
    in_steps,
    in_threads,
    killed,
    leaves_a_program,
    needs_the_script,
    process_id,
    unsendable,
)
from tests.unit.jobs.test_reporting import Noting


def runner_of(function: Any, *args: Any, path: list[str] | None = None) -> ProcessRunner:
    """What runs a function in a process."""
    return ProcessRunner(pack(function, args, {}), path or sys.path, function.__name__)


def test_thread_reports_and_returns() -> None:
    noting = Noting()
    assert ThreadRunner(Work(in_steps, (2,), {})).run(noting) == 2
    assert noting.said == [(0.5, "step 1"), (1.0, "step 2")]


def test_thread_says_once_that_the_function_has_been_left_even_if_it_was_never_called() -> None:
    left: list[str] = []
    runner = ThreadRunner(Work(in_steps, (2,), {}), lambda: left.append("left"))
    runner.run(Noting())
    runner.stop()
    assert left == ["left"]
    never = ThreadRunner(Work(in_steps, (2,), {}), lambda: left.append("never called"))
    never.stop()
    with pytest.raises(JobCancelled):
        never.run(Noting())
    assert left == ["left", "never called"]


def test_process_reports_and_returns_and_has_ended_then() -> None:
    noting = Noting()
    assert runner_of(in_steps, 2000).run(noting) == 2000
    assert noting.said[-1] == (1.0, "step 2000") and len(noting.said) < 1000
    number = runner_of(process_id).run(noting)
    assert number != os.getpid() and not psutil.pid_exists(number)


def test_exception_comes_back_with_the_place_where_it_was_raised() -> None:
    with pytest.raises(ValueError, match="no such town") as caught:
        runner_of(fails).run(Noting())
    assert "making.py" in str(caught.value.__cause__) and 'raise ValueError("no such town")' in str(
        caught.value.__cause__
    )


def test_exception_that_cannot_be_sent_comes_back_in_words() -> None:
    with pytest.raises(WorkFailed) as caught:
        runner_of(fails_oddly).run(Noting())
    assert str(caught.value) == "fails_oddly: tests.unit.jobs.making.Odd: 1 and 2"


def test_result_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(NotSendable) as caught:
        runner_of(unsendable).run(Noting())
    assert caught.value.what == (
        "its result['rows'][2]['lock'] cannot be sent back, because it is a _thread.lock: cannot pickle '_thread.lock'"
        " object"
    )


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            killed,
            "killed: the process of the job ended with SIGKILL. Most likely the machine or its container has run out of"
            " memory; the kernel's log tells",
        ),
        (
            exits,
            "exits: the process of the job ended with status 3. Its output, which the server's log has, may say why",
        ),
    ],
)  # fmt: skip
def test_process_that_dies_is_an_error_with_its_reason(function: Any, message: str) -> None:
    with pytest.raises(JobDied) as caught:
        runner_of(function).run(Noting())
    assert str(caught.value) == message


def test_process_that_dies_is_noticed_even_if_a_fork_of_it_lives_on(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with pytest.raises(JobDied, match="ended with status 4"):
        runner_of(dies_before_its_fork, str(note)).run(Noting())
    os.kill(int(note.read_text(encoding="utf-8")), signal.SIGKILL)


def test_what_a_function_has_started_ends_when_it_returns() -> None:
    started = runner_of(leaves_a_program).run(Noting())
    until(lambda: gone(started), "the program has ended")


def test_threads_of_the_function_report_to_its_job() -> None:
    noting = Noting()
    assert runner_of(in_threads, 3).run(noting) == 3
    assert noting.said[-1] == (2 / 3, "step 2")


def test_fork_of_the_process_neither_reports_nor_returns() -> None:
    noting = Noting()
    assert runner_of(forks).run(noting) == 0
    assert noting.said == []


@pytest.mark.parametrize("run", [lambda work: ThreadRunner(work), lambda work: runner_of(work.function)])
def test_coroutine_is_an_error_in_place_of_a_result(run: Any) -> None:
    with pytest.raises(JobError, match="hands_out_a_coroutine: is async; a job does not await"):
        run(Work(hands_out_a_coroutine, (), {})).run(Noting())


def test_what_is_sent_by_the_name_of_the_script_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(NotSendable) as caught:
        runner_of(needs_the_script).run(Noting())
    assert str(caught.value) == (
        "needs_the_script: uses something of the application's own file that can only be sent by its name, such as a"
        " cached function. Move that into a module beside the file"
    )


def test_process_that_is_stopped_ends_whatever_it_does() -> None:
    runner, raised = runner_of(forever), list[BaseException]()

    def run() -> None:
        try:
            runner.run(Noting())
        except JobDied as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: _children("app_server.jobs"), "the process is there")
    runner.stop()
    thread.join()
    assert len(raised) == 1 and not _children("app_server.jobs")


def test_runner_that_was_stopped_before_it_began_kills_its_process_at_once() -> None:
    runner = runner_of(forever)
    runner.stop()
    with pytest.raises(JobDied):
        runner.run(Noting())


def test_process_that_cannot_be_started_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(JobError) as caught:
        runner_of(process_id).run(Noting())
    assert str(caught.value) == (
        "process_id: its process cannot be started: No such file or directory. Raise the limits of processes and memory"
        " of the server's user or container, or lower --max-jobs"
    )


def test_module_that_the_process_does_not_find_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "far_away_helper.py").write_text("def work():\n    return 42\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        import far_away_helper  # type: ignore[import-not-found]

        assert runner_of(far_away_helper.work).run(Noting()) == 42
        elsewhere = [place for place in sys.path if place != str(tmp_path)]
        with pytest.raises(ModuleNotFoundError, match="far_away_helper"):
            runner_of(far_away_helper.work, path=elsewhere).run(Noting())


def test_result_that_cannot_be_read_here_is_an_error_that_says_so() -> None:
    with pytest.raises(JobError, match="what it has sent back cannot be read here: UnpicklingError"):
        ProcessRunner(b"", [], "compute")._read(b"nonsense")


def _children(words: str) -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if words in " ".join(each.cmdline())]
