"""Lines of the log for programs."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from app_server.document.current import session_at_work
from app_server.observe.logs import JsonFormatter, Stamp, request_id, request_id_from
from tests.unit.session.making import make_session

ID = "abcdefghijklmnopqrstuvwxyz"


def line(message: str, *arguments: object, level: int = logging.INFO, **about: Any) -> dict[str, Any]:
    """What is written for this record, read back."""
    record = logging.getLogger("some.where").makeRecord(
        "some.where", level, "file.py", 1, message, arguments, about.pop("exc_info", None), extra=about or None
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


def test_line_says_when_how_bad_who_and_what() -> None:
    found = line("there are %d", 3, level=logging.WARNING)
    assert found.pop("time").endswith("Z") and found.pop("pid") > 0
    assert found == {"level": "warning", "logger": "some.where", "message": "there are 3"}


def test_line_about_a_session_tells_no_more_than_eight_characters_of_its_id() -> None:
    found = line("%s: a callback raised an exception", make_session(ID).name)
    assert (found["application"], found["session"]) == ("/app", "abcdefgh")
    assert ID not in json.dumps(found)


def test_line_that_an_application_logs_is_about_its_session() -> None:
    session = make_session(ID)
    session.context.attach(session, lambda function: asyncio.sleep(0))
    with session.document.at_work():
        assert session_at_work() == ("/app", ID)
        found = line("from a callback")
    assert (found["application"], found["session"]) == ("/app", "abcdefgh")
    assert "session" not in line("from nowhere")


def test_line_is_no_question_about_the_session_context() -> None:
    session, asked = make_session(ID), list[str]()
    session.context.attach(session, lambda function: asyncio.sleep(0))
    session.document.probe_context(session.context, lambda: asked.append("asked"))
    with session.document.at_work():
        assert line("from the start of an application")["session"] == "abcdefgh"
        assert asked == []
        assert session.document.session_context is session.context
    assert asked == ["asked"]


def test_line_carries_the_request_that_is_answered() -> None:
    token = request_id.set("r-1")
    try:
        assert line("a page")["request_id"] == "r-1"
    finally:
        request_id.reset(token)


def test_traceback_is_one_value() -> None:
    try:
        raise ValueError("no\nsuch thing")
    except ValueError as error:
        found = line("it failed", exc_info=(ValueError, error, error.__traceback__))
    assert found["exception"].endswith("ValueError: no\nsuch thing")


def test_what_is_no_text_or_no_utf8_is_written_all_the_same() -> None:
    assert line("broken \ud800 %s", "ü")["message"] == "broken \ud800 ü"
    assert line("more", count=3, where={1, 2})["extra"] == {"count": 3, "where": "{1, 2}"}


@pytest.mark.parametrize("header", ["", None, "a b", "x" * 129, 'a"b', "line\nbreak"])
def test_id_that_a_proxy_could_not_have_meant_is_replaced(header: str | None) -> None:
    assert len(request_id_from(header)) == 16
    assert request_id_from(header) != header


def test_id_of_a_proxy_is_kept() -> None:
    assert request_id_from("7f3a-22:b/c==") == "7f3a-22:b/c=="


def test_text_formats_may_name_the_session() -> None:
    handler = logging.Formatter("%(session)s|%(application)s|%(request_id)s|%(message)s")
    record = logging.makeLogRecord({"msg": "%s: hello", "args": (make_session(ID).name,)})
    assert Stamp().filter(record)
    assert handler.format(record) == "abcdefgh|/app||/app session abcdefgh…: hello"
