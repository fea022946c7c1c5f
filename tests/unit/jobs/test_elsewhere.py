"""Jobs under another server."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from app_server.jobs.elsewhere import SessionsElsewhere
from app_server.jobs.session_jobs import Order
from app_server.jobs.watching import Callbacks
from tests.support.waiting import until
from tests.unit.jobs.making import Turns, in_steps, until_cancelled


class Document(Turns):
    """A document as another server has it."""

    def __init__(self) -> None:
        super().__init__()
        self.farewells: list[Callable[[Any], None]] = []

    def on_session_destroyed(self, callback: Callable[[Any], None]) -> None:
        self.farewells.append(callback)


CONTEXT = SimpleNamespace(
    id="a session", server_context=SimpleNamespace(application_context=SimpleNamespace(url="/app"))
)


def test_job_runs_and_comes_back_and_ends_with_its_session() -> None:
    sessions, document = SessionsElsewhere(), Document()
    jobs = sessions.of(document, CONTEXT)
    assert sessions.of(document, CONTEXT) is jobs
    said: list[Any] = []
    jobs.submit(in_steps, (2,), {}, Callbacks(on_result=said.append), Order())
    until(lambda: document.waiting, "it has ended")
    document.run()
    assert said == [2]
    noted: list[str] = []
    job = jobs.submit(until_cancelled, (noted,), {}, Callbacks(), Order())
    for farewell in document.farewells:
        farewell(CONTEXT)
    until(lambda: noted, "its thread has left")
    assert job.state == "cancelled"


def test_two_sessions_have_their_own_jobs() -> None:
    sessions = SessionsElsewhere()
    assert sessions.of(Document(), CONTEXT) is not sessions.of(Document(), CONTEXT)
