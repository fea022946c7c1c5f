"""`submit` and `find` in the sessions of a real application: its turns, its document, its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from bokeh.document import without_document_lock
from bokeh.io import curdoc
from bokeh.models import Div

from app_server.jobs import Job, JobError, find, submit
from app_server.server.runtimes import make_runtimes  # noqa: F401  the engine with its jobs
from tests.support.servers.stage import Stage, staged
from tests.support.waiting import patience
from tests.unit.jobs.making import fails, in_steps, process_id, until_cancelled


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div(name="note", text=""))


@contextmanager
def stage_of(build: Callable[[Any], None] = fill) -> Iterator[Stage]:
    """A session of an application."""
    with staged(build) as stage:
        yield stage


def take_turns_until(stage: Stage, claim: Callable[[], object]) -> None:
    """Run the session's loop until the claim holds."""
    import time

    latest = time.monotonic() + patience(10)
    while not claim():
        assert time.monotonic() < latest, "it never came"
        stage.loop.run_for(0.001)
        time.sleep(0.002)


def note(stage: Stage) -> str:
    """What the document says."""
    return str(stage.document.get_model_by_name("note").text)


def say(text: object) -> None:
    """Let the current document say this."""
    curdoc().get_model_by_name("note").update(text=str(text))


def do(stage: Stage, function: Callable[[], Any]) -> Any:
    """What a callback of the session returns."""
    found: list[Any] = []
    stage.document.add_next_tick_callback(lambda: found.append(function()))
    take_turns_until(stage, lambda: found)
    return found[0]


def test_callbacks_change_the_document_in_their_own_turns() -> None:
    with stage_of() as stage:
        do(stage, lambda: submit(in_steps, 2, on_progress=lambda fraction, text: say(text), on_result=say))
        take_turns_until(stage, lambda: note(stage) == "2")


def test_callbacks_may_be_async_and_hold_the_document() -> None:
    async def show(value: int) -> None:
        say(f"async {value}")

    with stage_of() as stage:
        do(stage, lambda: submit(in_steps, 2, on_result=show))
        take_turns_until(stage, lambda: note(stage) == "async 2")


def test_unlocked_callback_and_thread_with_a_document_submit_too() -> None:
    with stage_of() as stage:
        found: list[Any] = []

        @without_document_lock
        def unlocked() -> None:
            found.append(submit(in_steps, 2, on_result=say))

        stage.document.add_next_tick_callback(unlocked)
        take_turns_until(stage, lambda: note(stage) == "2")
        with ThreadPoolExecutor(1) as executor:
            executor.submit(submit, in_steps, 3, on_result=say, document=stage.document).result()
        take_turns_until(stage, lambda: note(stage) == "3")


def test_application_submits_while_its_session_is_built() -> None:
    def build(document: Any) -> None:
        fill(document)
        submit(in_steps, 4, on_result=say)

    with stage_of(build) as stage:
        take_turns_until(stage, lambda: note(stage) == "4")


def test_failure_without_on_error_is_logged_with_the_session(caplog: pytest.LogCaptureFixture) -> None:
    with stage_of() as stage:
        do(stage, lambda: submit(fails))
        take_turns_until(stage, lambda: caplog.messages)
        assert caplog.messages == [f"{stage.session.name}: the job fails failed; it has no on_error"]


def test_process_runs_and_its_number_comes_back() -> None:
    with stage_of() as stage:
        do(stage, lambda: submit(process_id, where="process", on_result=say))
        take_turns_until(stage, lambda: note(stage).isdigit())


def test_jobs_end_with_their_session_and_named_ones_go_on() -> None:
    with stage_of() as stage:
        left, noted, kept = list[str](), list[str](), list[str]()
        job = do(stage, lambda: submit(until_cancelled, noted))
        named = do(stage, lambda: submit(until_cancelled, kept, name="fit"))
        assert do(stage, lambda: find("fit")) is named and do(stage, lambda: find("other")) is None
        stage.loop.run_until_complete(stage.runtime.end(stage.session))
        take_turns_until(stage, lambda: noted)
        assert (job.state, named.over, left) == ("cancelled", False, [])
        assert stage.runtime.now()["jobs_running"] == 1
        stage.loop.run_until_complete(stage.runtime.stop())
        take_turns_until(stage, lambda: kept)
        assert named.state == "cancelled"


def test_without_a_session_it_is_said_what_to_do() -> None:
    with pytest.raises(JobError) as caught:
        submit(in_steps, 1)
    assert str(caught.value) == (
        "app_server.jobs: no session is at work here. Call it in an application that is served: app-server serve FILE."
        " In a thread of your own, pass document="
    )


def test_keywords_are_the_functions() -> None:
    with stage_of() as stage:
        job: Job = do(stage, lambda: submit(partial(in_steps), steps=5, on_result=say))
        take_turns_until(stage, lambda: note(stage) == "5")
        assert job.result == 5


def test_importing_it_needs_neither_bokeh_nor_a_server() -> None:
    program = "import sys, app_server.jobs; print(sorted({'bokeh', 'tornado', 'asyncio'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"
