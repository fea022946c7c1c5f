"""One Chromium for all browser tests, a fresh page for each, and no tolerance for what a page complains about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers.pages import Complaints, chromium, window
from tests.support.missing import require_chromium


# For the package rather than the session: Playwright's synchronous interface keeps an event loop running in this
# thread, and asyncio tests that come after the browser tests could not start their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium; where it is not installed, tests skip, and fail when CI=true."""
    require_chromium()
    with chromium() as started:
        yield started


@pytest.fixture
def complaints() -> Complaints:
    """What the test's page complains about; a test that expects complaints clears them before it ends."""
    return Complaints()


@pytest.fixture
def page(browser: Browser, complaints: Complaints, processes: ExitStack) -> Iterator[Page]:
    """A page of 1280 x 800 in a context of its own; the test fails if the page complained.

    It asks for `processes` so as to close before they end: a page whose server vanishes complains.
    """
    with window(browser) as context:
        fresh = context.new_page()
        complaints.listen(fresh)
        yield fresh
    complaints.assert_none()
