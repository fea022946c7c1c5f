"""What the log calls sessions and applications."""

from __future__ import annotations

import logging

from app_server.session.naming import LogName


def test_name_reads_as_its_words_and_knows_what_they_stand_for() -> None:
    name = LogName("/app session abcdefgh…", application="/app", session="abcdefghij")
    assert name == "/app session abcdefgh…" and isinstance(name, str)
    assert (name.application, name.session) == ("/app", "abcdefghij")


def test_application_is_named_without_a_session() -> None:
    assert LogName("/app", application="/app").session == ""


def test_name_arrives_whole_in_a_record_of_the_log() -> None:
    name = LogName("/app session abc…", application="/app", session="abc")
    record = logging.LogRecord("log", logging.INFO, __file__, 1, "%s: began", (name,), None)
    assert record.getMessage() == "/app session abc…: began"
    assert record.args is not None and record.args[0] is name  # type: ignore[index]
