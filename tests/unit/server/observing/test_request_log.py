"""The line of the log about an answer."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.observe.gauges import Gauges
from app_server.server.observing.request_log import request_log


@pytest.mark.parametrize(
    ("status", "logged", "level", "because"),
    [
        (200, False, logging.DEBUG, ""),
        (403, False, logging.WARNING, ": it was a reason"),
        (403, True, logging.DEBUG, ": it was a reason"),
        (404, False, logging.WARNING, ""),
        (500, False, logging.ERROR, ""),
        (503, False, logging.ERROR, ": it was a reason"),
    ],
)
def test_line_of_an_answer_has_its_level_and_its_reason(
    status: int, logged: bool, level: int, because: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    heard: list[Any] = []
    gauges = Gauges()
    request = SimpleNamespace(
        method="GET", path="/a\x1b?", remote_ip="192.0.2.1", request_time=lambda: 0.0012, query="token=x"
    )
    handler = SimpleNamespace(
        request=request,
        get_status=lambda: status,
        logged=logged,
        refused_because="it was a reason" if status >= 400 else "",
    )
    request_log(gauges, heard.append)(handler)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (level, rf"{status} GET /a\x1b? (192.0.2.1) 1.2 ms{because}")
    assert heard == [handler] and sum(gauges.answers.values()) == 1
