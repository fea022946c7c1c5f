"""What the tab of profiles calls them."""

from __future__ import annotations

import pytest

from app_server.console.tabs.profiles import title


@pytest.mark.parametrize(("at_s", "when"), [(1_764_430_200.5, "15:30:00"), (1e30, "–"), (None, "–")])
def test_profile_is_called_by_its_time_as_in_the_log(at_s: float | None, when: str) -> None:
    assert title({"at_s": at_s, "on": "session 1234 of /app"}) == f"{when}  session 1234 of /app"
