"""Which session `submit` means."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from app_server.document.served import new_document
from app_server.jobs import JobError
from app_server.jobs.current import session_jobs
from app_server.jobs.reporting import reporting_to
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext
from tests.support.servers.stage import staged
from tests.unit.jobs.test_api import do, fill
from tests.unit.jobs.test_reporting import Noting


def test_session_of_the_code_that_runs_or_of_the_document_that_is_named() -> None:
    with staged(fill) as stage:
        own = stage.session.context.jobs
        assert do(stage, session_jobs) is own
        assert session_jobs(stage.document) is own


def test_session_of_the_document_that_panel_works_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(fill) as stage:
        panel = SimpleNamespace(state=SimpleNamespace(curdoc=stage.document))
        monkeypatch.setitem(sys.modules, "panel.io.state", panel)  # type: ignore[arg-type]
        assert session_jobs() is stage.session.context.jobs


def test_application_that_starts_for_all_sessions_has_no_jobs_yet() -> None:
    document = new_document("snapshot")
    context = SessionContext("", ApplicationContext("/app", list).server_context, document, VisibleRequest(), {})
    document.attach_context(context)
    with document.at_work(), pytest.raises(JobError) as caught:
        session_jobs()
    assert str(caught.value) == (
        "app_server.jobs: the application runs without a session at the moment, to be started for all of them or to be"
        " saved. Submit jobs in callbacks"
    )


def test_job_cannot_submit_another_one() -> None:
    with reporting_to(Noting()), pytest.raises(JobError) as caught:
        session_jobs()
    assert str(caught.value) == (
        "app_server.jobs: no session is at work here. A job cannot submit another one: do that in its on_result"
    )


def test_document_without_a_session_has_no_jobs() -> None:
    with pytest.raises(JobError, match="no session is at work here"):
        session_jobs(new_document("one"))
