"""A session that was ended in its own process: its page, with an unmodified BokehJS, says so and can start again."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.browsers.pages import Complaints, open_app, patience_ms
from tests.support.server import running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


def test_the_page_of_a_session_that_was_ended_says_why_and_starts_again(
    page: Page, processes: ExitStack, complaints: Complaints
) -> None:
    server = processes.enter_context(
        running_server(APPS / "greedy.py", "--isolation", "process", "--callback-limit", "0.5")
    )
    open_app(page, f"{server.url}/greedy")
    page.get_by_role("button", name="Compute").click()
    notice = page.get_by_role("alert")
    notice.get_by_text("It took longer to answer than one session may take.").wait_for(timeout=patience_ms(30))
    assert page.get_by_text("Everything is fine.").count() == 0
    complaints.clear()  # BokehJS tells the console of the connection that was lost
    notice.get_by_role("link").click()
    page.get_by_text("Everything is fine.").wait_for(timeout=patience_ms(30))
