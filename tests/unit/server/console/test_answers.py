"""What a process answers to the console, and what it does to its sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.observe.recent import RecentStalls
from app_server.security.auth.users import User
from app_server.server.console.answers import ConsoleAnswers, NoConsole, console_answers, name_of
from app_server.settings import Settings
from app_server.store.base import session_key
from tests.support.servers.stage import Stage, staged
from tests.unit.engine.making import Door, fill


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill, turns=ObservedTurnQueue) as played:
        yield played


def answers_of(stage: Stage, *, isolated: bool = False) -> ConsoleAnswers:
    return ConsoleAnswers([stage.runtime], RecentStalls(), isolated=isolated)


def asked(stage: Stage, fields: Mapping[str, Any], answers: ConsoleAnswers | None = None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = stage.loop.run_until_complete((answers or answers_of(stage)).handle(fields))
    return found


def test_sessions_are_shown_without_their_ids(stage: Stage) -> None:
    (session,) = asked(stage, {"question": "console", "parts": ["sessions"]})["sessions"]
    assert (session["id"], session["application"], session["user"]) == ("one", "/app", "")
    assert (session["connections"], session["messages"], session["p99_s"]) == (0, 0, None)
    assert session["key"] == session_key("/app", "one")
    assert session["memory_bytes"] is None


def test_memory_is_that_of_a_process_with_one_session(stage: Stage) -> None:
    fields = {"question": "console", "parts": ["sessions"]}
    assert asked(stage, fields, answers_of(stage, isolated=True))["sessions"][0]["memory_bytes"] > 1_000_000


def test_only_the_parts_that_are_asked_for_are_answered(stage: Stage) -> None:
    assert asked(stage, {"question": "console"}).keys() == {"pid"}
    assert asked(stage, {"question": "console", "parts": ["stalls"]})["stalls"] == []
    assert asked(stage, {"question": "something"}) == {"error": "unknown question"}


def test_log_is_kept_from_begin_to_stop(stage: Stage) -> None:
    answers = answers_of(stage)
    answers.begin()
    logging.getLogger("app").warning("kept")
    answers.stop()
    logging.getLogger("app").warning("not kept")
    lines = asked(stage, {"question": "console", "parts": ["log"]}, answers)["log"]
    assert [line["message"] for line in lines] == ["kept"]


def test_message_is_shown_to_the_pages_that_have_the_document(stage: Stage) -> None:
    act = {"question": "console-act", "act": "message", "key": session_key("/app", "one"), "text": "a <b>"}
    assert asked(stage, act) == {"result": "no page is open"}

    async def view() -> None:
        stage.view()

    stage.loop.run_until_complete(view())
    stage.loop.run_until_complete(asyncio.sleep(1))
    assert asked(stage, act) == {"result": "shown"}


def test_session_is_ended_and_says_who_has_done_it(stage: Stage) -> None:
    door = Door(stage)
    stage.runtime.connect(stage.session, door.connection, door)
    act = {"question": "console-act", "act": "end", "key": session_key("/app", "one")}
    assert asked(stage, act) == {"result": "ended"}
    stage.loop.run_until_complete(asyncio.sleep(1))
    assert stage.session.ended_by_operator and stage.session.destroyed
    assert door.said == ["1001 the session has ended"]
    assert asked(stage, act) == {"result": "the session has ended already"}


def test_unknown_act_is_not_done(stage: Stage) -> None:
    act = {"question": "console-act", "act": "explode", "key": session_key("/app", "one")}
    assert asked(stage, act) == {"result": "this server does not know that act"}


def test_without_a_console_nothing_is_kept_or_answered() -> None:
    answers = console_answers(Settings(), [], RecentStalls(), isolated=False)
    assert type(answers) is NoConsole
    handlers = list(logging.getLogger().handlers)
    answers.begin()
    assert logging.getLogger().handlers == handlers
    answers.stop()
    assert asyncio.run(answers.handle({"question": "console"})) == {"error": "the console is off"}


@pytest.mark.parametrize(
    ("user", "name"),
    [(None, ""), (User("ann"), "ann"), ("ben", "ben"), ({"email": "c@d.org"}, "c@d.org"), (object(), "<object")],
)
def test_users_of_any_login_have_a_name(user: Any, name: str) -> None:
    assert name_of(user).startswith(name)
    assert len(name_of("x" * 1000)) == 100
