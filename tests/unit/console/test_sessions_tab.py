"""What the tab of sessions says beside its table."""

from __future__ import annotations

from app_server.console.tabs.sessions import busy_note


def test_sessions_that_do_not_answer_are_counted() -> None:
    assert busy_note([{"busy": 0}, {"fault": "away"}]) == ""
    assert "1 isolated session is busy" in busy_note([{"busy": 1}])
    assert "3 isolated sessions are busy" in busy_note([{"busy": 1}, {"busy": 2}])
