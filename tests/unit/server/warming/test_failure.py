"""What is logged about an application that has failed before it had visitors."""

from __future__ import annotations

import json
import logging

import pytest

from app_server.errors import ApplicationError
from app_server.observe.logs import JsonFormatter
from app_server.server.warming.failure import Failure


def test_failure_is_logged_like_an_exception_although_it_comes_from_another_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Failure("a.py:2: ValueError: oops", "Correct it", "Traceback\n  work()\nValueError: oops\n").log("/app")
    (record,) = caplog.records
    assert record.levelno == logging.ERROR and record.name == "app_server.server.warming.failure"
    found = json.loads(JsonFormatter().format(record))
    assert found["message"] == "/app: the warmup failed: a.py:2: ValueError: oops. Correct it"
    assert found["exception"] == "Traceback\n  work()\nValueError: oops"
    plain = "ERROR /app: the warmup failed: a.py:2: ValueError: oops. Correct it\nTraceback\n  work()\nValueError: oops"
    assert logging.Formatter("%(levelname)s %(message)s").format(record) == plain


def test_failure_without_a_cause_has_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Failure.of(ApplicationError("it is broken", where="a.py")).log("/app")
    (record,) = caplog.records
    assert record.getMessage() == "/app: the warmup failed: a.py: it is broken"
    assert "exception" not in json.loads(JsonFormatter().format(record))
