"""Logging in by hand, in Chromium: the form, its faults, the way back to the page, and the way out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app_server.security.auth.passwords import Cost, hash_password
from tests.support.browsers.pages import Complaints, model_value, open_app, wait_idle, window
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_process, running_server
from tests.support.servers.oidc_provider import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.browser

KNOWING = Path(__file__).resolve().parents[1] / "protocol" / "apps" / "knowing.py"
COOKIE_SECRET = {"BOKEH_COOKIE_SECRET": "another secret of forty-four letters, or so."}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one user."""
    path = tmp_path_factory.mktemp("users") / "users"
    path.write_text(f"ann:{hash_password('correct horse', cost=Cost(2, 1, 1))}\n", encoding="utf-8")
    path.chmod(0o600)
    with running_server(KNOWING, "--basic-auth", path, env=COOKIE_SECRET, server="ours") as started:
        yield started


def fill_in(page: Page, user: str, password: str) -> None:
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_user_logs_in_and_is_led_to_the_page(server: RunningServer, page: Page) -> None:
    page.goto(f"{server.url}/knowing?a=1")
    expect(page.get_by_role("heading")).to_have_text("Log in")
    expect(page.get_by_label("User")).to_be_focused()
    fill_in(page, "ann", "correct horse")
    page.wait_for_url(f"{server.url}/knowing?a=1")
    wait_idle(page)
    assert '"user": "ann"' in model_value(page, "seen", "model.text")


def test_wrong_password_is_reported_and_can_be_corrected(
    server: RunningServer, page: Page, complaints: Complaints
) -> None:
    page.goto(f"{server.url}/knowing")
    fill_in(page, "ann", "wrong horse")
    expect(page.get_by_role("alert")).to_have_text("The user or the password is wrong.")
    expect(page.get_by_label("User")).to_have_value("ann")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("Password")).to_have_value("")
    complaints.clear()  # 403 is what was expected
    fill_in(page, "ann", "correct horse")
    page.wait_for_url(f"{server.url}/knowing")


def test_user_who_logs_out_is_asked_again(server: RunningServer, page: Page) -> None:
    page.goto(f"{server.url}/knowing")
    fill_in(page, "ann", "correct horse")
    wait_idle(page)
    page.goto(f"{server.url}/logout")
    expect(page.get_by_role("heading")).to_have_text("You are logged out")
    page.get_by_role("link", name="Log in again").click()
    expect(page.get_by_role("heading")).to_have_text("Log in")
    page.goto(f"{server.url}/knowing")
    expect(page.get_by_role("heading")).to_have_text("Log in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (360, 640)])
def test_form_fits_phones_and_desktops(
    server: RunningServer, browser: Browser, scheme: str, size: tuple[int, int]
) -> None:
    with window(browser, size, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(f"{server.url}/login")
        width = page.evaluate("document.documentElement.scrollWidth")
        boxes = [box.bounding_box() for box in page.locator("input:visible, button").all()]
        bright = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert width <= size[0]
    assert len(boxes) == 3
    for box in boxes:
        assert box is not None and box["height"] >= 44  # what a thumb hits (WCAG 2.2, target size enhanced)
        assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] and box["y"] + box["height"] <= size[1]
    assert (int(bright.split("(")[1].split(",")[0]) > 128) is (scheme == "light")


def test_provider_of_identities_leads_there_and_back(page: Page, processes: ExitStack, complaints: Complaints) -> None:
    port, provider_port = free_port(), free_port()
    issuer = f"http://localhost:{provider_port}"
    command = [sys.executable, "-m", "tests.support.servers.oidc_provider", str(provider_port)]
    processes.enter_context(running_process([*command, f"http://localhost:{port}/login/callback"], issuer))
    flags = ["--port", str(port), "--oidc-issuer", issuer, "--oidc-client-id", CLIENT_ID]
    environment = {**COOKIE_SECRET, "APP_SERVER_OIDC_CLIENT_SECRET": CLIENT_SECRET}
    server = processes.enter_context(running_server(KNOWING, *flags, env=environment, server="ours"))
    page.goto(f"{server.url}/knowing?a=1")
    page.get_by_label("User").fill("ann")
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{server.url}/knowing?a=1")
    wait_idle(page)
    assert '"user": "ann@example.org"' in model_value(page, "seen", "model.text")
    open_app(page, f"{server.url}/knowing")
    page.goto(f"{server.url}/logout")
    expect(page.get_by_role("heading")).to_have_text("You are logged out")
    complaints.clear()  # the provider has no icon
