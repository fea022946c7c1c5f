"""Whose jobs a session's are, and where their processes find the application's modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from app_server.apps import load_application
from app_server.apps.function import application_from_function
from app_server.document.served import new_document
from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime
from app_server.engine.loop import EngineLoop
from app_server.jobs.running.pool import JobPool
from app_server.jobs.served import jobs_of_session
from app_server.jobs.session_jobs import Order
from app_server.jobs.watching import Callbacks
from app_server.security.auth.users import User
from app_server.session.limits import MessageLimits
from tests.support.clock import skipping_loop
from tests.support.servers.stage import staged
from tests.support.waiting import until
from tests.unit.jobs.making import Turns, Visit
from tests.unit.jobs.test_api import do

SCRIPT = """
from bokeh.io import curdoc
from bokeh.models import Div
from app_server.jobs import submit
from far_helper import twice

here = Div(name="note", text="")
curdoc().add_root(here)
factor = 21


def work():
    return twice(factor)


def show(value):
    here.text = str(value)


submit(work, where="process", on_result=show, on_error=show)
"""


def pool_key(user: Any, session: str = "one") -> str:
    """What stands for a user."""
    pool, turns = JobPool(), Turns()
    application = application_from_function(lambda document: None, "app")
    jobs = jobs_of_session(pool, application, "/app", session, user, turns)
    return jobs._owner.user


def test_user_is_the_same_in_all_sessions_and_a_visitor_only_in_their_own() -> None:
    assert pool_key(User("ada"), "one") == pool_key(User("ada"), "two") != pool_key(User("bob"))
    assert pool_key(None, "one") != pool_key(None, "two")
    assert pool_key("session\none") != pool_key(None, "one")


def test_user_who_could_be_any_has_only_the_jobs_of_the_session() -> None:
    assert pool_key(object(), "one") == pool_key(None, "one")


def test_what_was_saved_is_lost_if_it_is_not_here() -> None:
    application = application_from_function(lambda document: None, "app")
    saved = {"fit": {"label": "simulate", "fraction": 0.4, "text": "step 400"}}
    jobs = jobs_of_session(JobPool(), application, "/app", "one", None, Turns(), saved)
    job = jobs.find("fit", Callbacks())
    assert job is not None and job.state == "lost"


def test_script_sends_its_function_with_its_globals_and_its_helper_to_a_process(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    (tmp_path / "far_helper.py").write_text("def twice(n):\n    return 2 * n\n", encoding="utf-8")
    application = load_application(tmp_path / "script.py", ())
    with skipping_loop() as loop:
        runtime = LocalRuntime(application, "/app", MessageLimits(10**6), Lifetimes(1e6, 1e6), EngineLoop(loop))
        loop.run_until_complete(runtime.start())
        session = loop.run_until_complete(runtime.session("one", None, {}))
        assert str(tmp_path) not in sys.path
        text = session.document.get_model_by_name("note")
        until(lambda: loop.run_for(0.001) or text.text, "the job has ended")
        assert text.text == "42"
        loop.run_until_complete(runtime.stop())


@pytest.mark.parametrize("other", [False, True])
def test_helper_of_an_application_is_its_own_although_another_has_one_of_that_name(tmp_path: Path, other: bool) -> None:
    folders = {}
    for name, factor in (("one", 2), ("two", 3)):
        folder = folders[name] = tmp_path / name
        folder.mkdir()
        (folder / "main.py").write_text("from same_helper import times\n", encoding="utf-8")
        (folder / "same_helper.py").write_text(f"def times(n):\n    return {factor} * n\n", encoding="utf-8")
    one, two = (load_application(folder, ()) for folder in folders.values())
    one.build(new_document("one"))
    times = sys.modules["same_helper"].times
    if other:
        two.build(new_document("two"))
    visit = Visit()
    jobs = jobs_of_session(visit.pool, one, "/one", "one", None, visit.turns)
    jobs.submit(times, (21,), {}, visit.callbacks, Order("process"))
    assert visit.outcome() == ("result", 42)


def test_session_of_the_server_has_jobs() -> None:
    with staged(lambda document: None) as stage:
        assert do(stage, lambda: stage.session.context.jobs.as_saved()) == {}
