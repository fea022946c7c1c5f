"""The console in Chromium: on a desktop and a phone, light and dark, with what visitors have put into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app_server.security.auth.passwords import Cost, hash_password
from tests.support.browsers.pages import Complaints, open_app, wait_idle, window
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_server

pytestmark = pytest.mark.browser

WIDGETS = Path(__file__).parent / "apps" / "widgets.py"
WORKING = WIDGETS.with_name("working.py")
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(port: int) -> Iterator[RunningServer]:
    """A server whose users are named by a proxy, and its console."""
    flags = ("--auth-header", "X-User", "--auth-header-from", "127.0.0.1", "--console", port)
    lasting = ("--unused-session-lifetime", "60000")
    with running_server(WIDGETS, WORKING, *map(str, flags), *lasting, server="ours") as started:
        started.wait_for_log("The console is at")
        yield started


@pytest.fixture
def visitor(server: RunningServer, browser: Browser) -> Iterator[Page]:
    """The page of a visitor with a strange name."""
    with window(browser, extra_http_headers={"X-User": EVIL}) as context:
        page = context.new_page()
        page.goto(f"{server.url}/widgets")
        wait_idle(page)
        yield page


@pytest.fixture
def console(server: RunningServer, port: int, page: Page, visitor: Page) -> Page:
    """An operator's page."""
    open_app(page, f"http://localhost:{port}/")
    return page


def tab(console: Page, name: str) -> None:
    console.locator(".bk-tab", has_text=name).click()


def select_session(console: Page) -> None:
    tab(console, "Sessions")
    console.locator(".slick-row").first.click()
    expect(console.get_by_role("button", name="End session")).to_be_visible()


def picture(console: Page, name: str) -> None:
    """Keep a screenshot where APP_SERVER_PICTURES names a folder."""
    if folder := os.environ.get("APP_SERVER_PICTURES"):
        console.screenshot(path=Path(folder) / f"console-{name}.png")


def test_visitor_reads_the_message_and_closes_it(console: Page, visitor: Page) -> None:
    select_session(console)
    console.get_by_placeholder("Message to the page").fill(f"Hello {EVIL}")
    console.get_by_role("button", name="Send message").click()
    expect(console.get_by_role("status")).to_contain_text("shown")
    message = visitor.get_by_role("alert")
    expect(message).to_contain_text(f"Message from the operator\nHello {EVIL}".replace("\n", ""))
    message.get_by_label("Close").check(force=True)
    expect(message).to_be_hidden()


def test_visitor_is_told_that_the_session_was_ended(console: Page, visitor: Page) -> None:
    select_session(console)
    console.get_by_role("button", name="End session").click()
    console.get_by_role("button", name="No", exact=True).click()
    expect(console.get_by_role("button", name="Yes, end")).to_be_hidden()
    console.get_by_role("button", name="End session").click()
    console.get_by_role("button", name="Yes, end").click()
    expect(console.get_by_role("status")).to_contain_text("ended")
    expect(visitor.get_by_role("alert")).to_contain_text("An operator of this site has ended it.")


def test_names_of_visitors_stay_texts(console: Page, complaints: Complaints) -> None:
    """An element of theirs would ask for /x, which does not exist: the page would complain."""
    select_session(console)
    expect(console.locator(".slick-row").first).to_contain_text(EVIL)
    for name in ("Overview", "Log"):
        tab(console, name)
        expect(console.locator("table:visible").first).to_be_visible()
    assert console.evaluate("document.querySelectorAll('img').length") == 0
    complaints.assert_none()


def test_lines_are_filtered_while_one_types(console: Page) -> None:
    tab(console, "Log")
    expect(console.locator("table:visible")).to_contain_text("Serving")
    console.get_by_label("Words").fill("no such words")
    expect(console.get_by_text("No line is like that.")).to_be_visible()


def test_log_of_a_session_is_one_click_away(console: Page) -> None:
    select_session(console)
    ident = console.locator(".slick-row").first.locator(".slick-cell").first.inner_text()
    console.get_by_role("button", name="Show log").click()
    expect(console.get_by_label("Session", exact=True)).to_have_value(ident)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_console_fits_phones_and_desktops(
    server: RunningServer, port: int, browser: Browser, visitor: Page, scheme: str, size: tuple[int, int]
) -> None:
    width, _ = size
    with window(browser, size, color_scheme=scheme) as context:
        console = context.new_page()
        open_app(console, f"http://localhost:{port}/")
        for name in ("Overview", "Sessions", "Log", "Profiles", "Stalls", "Maintenance", "Audit"):
            tab(console, name)
            wait_idle(console)
            if name == "Sessions":
                select_session(console)
            picture(console, f"{scheme}-{width}-{name.lower()}")
            assert console.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), name
        shown = console.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (shown == "rgb(255, 255, 255)") is (scheme == "light")
        tab(console, "Sessions")
        columns = console.locator(".slick-header-column")
        expect(columns).to_have_count(4 if width == 390 else 13)
        selected = console.locator(".slick-cell.selected").first
        expect(selected).to_be_visible()
        colors = selected.evaluate("e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]")
        assert contrast(colors) > 4.5


def contrast(colors: list[str]) -> float:
    """The contrast of two colors that a browser has written (WCAG 2.2)."""
    light, dark = sorted(map(_luminance, colors), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_operator_logs_in(tmp_path: Path, page: Page) -> None:
    users = tmp_path / "operators"
    users.write_text(f"olga:{hash_password('correct horse', cost=Cost(2, 1, 1))}\n", encoding="utf-8")
    users.chmod(0o600)
    flags = ("--console", "/_console", "--console-auth", str(users))
    with running_server(WIDGETS, *flags, server="ours") as server:
        server.wait_for_log("The console is at")
        page.goto(f"{server.url}/_console/")
        page.get_by_label("User").fill("olga")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Log in").click()
        wait_idle(page)
        expect(page.get_by_role("heading", name="Console")).to_be_visible()
        tab(page, "Maintenance")
        page.get_by_role("button", name="Maintenance off").click()
        expect(page.get_by_role("status")).to_contain_text("new visitors are let in")
        server.wait_for_log("Operator olga: maintenance off")
        page.goto("about:blank")


def test_profile_is_drawn_as_a_flame_graph(server: RunningServer, console: Page, visitor: Page) -> None:
    visitor.goto(f"{server.url}/working")
    wait_idle(visitor)
    tab(console, "Sessions")
    console.get_by_placeholder("Filter by session").fill("/working")
    expect(console.locator(".slick-row")).to_have_count(1)
    select_session(console)
    console.locator("select:visible").select_option("5 s")
    console.get_by_role("button", name="Profile").click()
    expect(console.get_by_role("status")).to_contain_text("One moment")
    slide = visitor.locator(".noUi-handle").first
    slide.focus()
    while "One moment" in console.get_by_role("status").inner_text():
        slide.press("ArrowRight")
    expect(console.get_by_role("status")).to_contain_text("see the tab Profiles")
    tab(console, "Profiles")
    expect(console.get_by_text("Point at a bar for its file and line.")).to_be_visible()
    wait_idle(console)
    picture(console, "profiles")
