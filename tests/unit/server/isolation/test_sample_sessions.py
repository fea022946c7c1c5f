"""What is served to nobody, so that sessions find it done."""

from __future__ import annotations

import gc
import logging
import threading
import warnings

import pytest

from app_server.document.engine import install
from app_server.server.isolation import sample_sessions


def test_sample_sessions_succeed_say_nothing_and_leave_nothing(caplog: pytest.LogCaptureFixture) -> None:
    install()
    gc.collect()  # what other tests have left may be logged about, too
    caplog.set_level(logging.DEBUG)
    before = set(threading.enumerate())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        sample_sessions.serve_sample_sessions()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == []
    assert sum("200 GET /" in message for message in caplog.messages) == 3
    assert sum("101 GET /ws" in message for message in caplog.messages) == 3
    assert [str(warning.message) for warning in warned if "Deprecation" in warning.category.__name__] == []
    assert set(threading.enumerate()) <= before


def test_sample_session_that_fails_is_a_warning_and_leaves_no_task(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()  # what other tests have left may be logged about
    caplog.clear()
    install()
    missing = b"GET /missing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    monkeypatch.setattr(sample_sessions, "_PAGE", missing)
    sample_sessions.serve_sample_sessions()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING and "sample" in record.msg]
    assert record.levelno == logging.WARNING
    del record
    caplog.clear()
    gc.collect()
    assert caplog.messages == []
