"""Lines of the log that would be written again and again."""

from __future__ import annotations

import logging

import pytest

from app_server.log_limits import RateLimitedLog


def test_each_text_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now_s = 0.0
    limited = RateLimitedLog(logging.getLogger("app_server.test"), lambda: now_s)
    limited.error("no descriptors")
    now_s = 59.9
    limited.error("no descriptors")
    limited.error("100 % of the memory is taken")
    assert caplog.messages == ["no descriptors", "100 % of the memory is taken"]
    now_s = 60.0
    limited.error("no descriptors")
    limited.error("100 % of the memory is taken")
    assert caplog.messages[2:] == ["no descriptors"]


def test_texts_that_are_not_said_again_are_not_kept() -> None:
    now_s = 0.0
    limited = RateLimitedLog(logging.getLogger("app_server.test"), lambda: now_s)
    for number in range(100):
        now_s += 30.0
        limited.error(f"fault {number}")
    assert len(limited._written_s) == 2
