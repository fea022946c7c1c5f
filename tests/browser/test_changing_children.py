"""What a callback shows piece by piece is shown whole, and goes on following its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import open_app, patience_ms
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The application that appends tables."""
    with running_server(APPS / "appended.py") as started:
        yield started


# Two tables each; the first button makes one more, in a tab.
@pytest.mark.parametrize(("button", "tables"), [("Append", 3), ("Replace", 2)])
def test_tables_that_come_one_after_another_in_a_callback_follow_their_data(
    server: RunningServer, page: Page, button: str, tables: int
) -> None:
    open_app(page, f"{server.url}/appended")
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text("kiwi", exact=True)).to_have_count(tables, timeout=patience_ms(10))
    page.get_by_role("button", name="Stream").click()
    expect(page.get_by_text("plum", exact=True)).to_have_count(tables, timeout=patience_ms(10))
