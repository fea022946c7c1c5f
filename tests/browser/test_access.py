"""Who may open what, in Chromium: the index, the page of a refusal, and a page whose user logs out elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app_server.security.auth.passwords import Cost, hash_password
from tests.support.browsers.pages import Complaints, wait_idle, window
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

APPS = Path(__file__).resolve().parents[1] / "protocol" / "apps"
COOKIE_SECRET = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Three applications, of which eve may open two."""
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text(f"eve:{hash_password('correct horse', cost=Cost(2, 1, 1))}:guests\n", encoding="utf-8")
    path.chmod(0o600)
    flags = ["--basic-auth", path, "--access", "/board=group:staff", "--access-contact", "help@example.org"]
    apps = [APPS / name for name in ("knowing.py", "asking.py", "board.py")]
    with running_server(*apps, *flags, env=COOKIE_SECRET, server="ours") as started:
        yield started


def log_in(page: Page) -> None:
    page.get_by_label("User").fill("eve")
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()


def test_index_shows_what_one_may_open(server: RunningServer, page: Page) -> None:
    page.goto(server.url)
    log_in(page)
    expect(page.locator(".card strong")).to_have_text(["Knowing", "Asking"])
    page.get_by_role("link", name="Knowing").click()
    wait_idle(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (360, 640)])
def test_refusal_says_whom_to_ask(
    server: RunningServer, browser: Browser, scheme: str, size: tuple[int, int], tmp_path: Path
) -> None:
    with window(browser, size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{server.url}/board")
        log_in(page)
        expect(page.get_by_role("heading")).to_have_text("You may not open this application")
        expect(page.get_by_text("You are logged in as eve.")).to_be_visible()
        expect(page.get_by_role("link", name="help@example.org")).to_have_attribute("href", "mailto:help@example.org")
        width = page.evaluate("document.documentElement.scrollWidth")
        page.screenshot(path=tmp_path / "refusal.png")
        page.get_by_role("link", name="All applications").click()
        expect(page.locator(".card")).to_have_count(2)
        page.go_back()
        page.get_by_role("link", name="Log out").click()
        expect(page.get_by_role("heading")).to_have_text("You are logged out")
    assert width <= size[0]


def test_page_says_that_its_user_has_logged_out_elsewhere(
    server: RunningServer, page: Page, complaints: Complaints
) -> None:
    page.goto(f"{server.url}/knowing")
    log_in(page)
    wait_idle(page)
    other = page.context.new_page()
    other.goto(f"{server.url}/logout")
    notice = page.get_by_role("alert").filter(has_text="You are logged out")
    expect(notice).to_be_visible()
    complaints.clear()  # its socket cannot be opened again
    notice.get_by_role("link").click()
    expect(page.get_by_role("heading")).to_have_text("Log in")
    complaints.clear()
