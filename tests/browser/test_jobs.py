"""Long work in Chromium: a progress bar, a button that cancels, and a server that is killed in the middle."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_saved_sessions import expect_back, saved, wait_until_back
from tests.support.browsers.pages import Complaints, model_value, open_app, pixels, wait_for_model, wait_idle
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where sessions are saved."""
    return tmp_path / "saved"


@pytest.fixture
def serve(processes: ExitStack, folder: Path) -> Callable[..., RunningServer]:
    """Starts a server of the example, at the same address each time."""
    port = free_port()

    def started() -> RunningServer:
        words = (EXAMPLES / "bifurcation", "--port", str(port), "--store", folder)
        return processes.enter_context(running_server(*words, server="ours"))

    return started


def begin(page: Page, quality: str) -> None:
    """Choose a quality and begin."""
    page.locator("select").select_option(quality)
    page.get_by_role("button", name="Compute").click()


def width(page: Page) -> float:
    """How far the progress bar is, in percent."""
    return float(model_value(page, "bar", r"Number(/width: ([\d.]+)%/.exec(model.text)[1])"))


def test_progress_is_shown_and_the_result_is_drawn(serve: Callable[..., RunningServer], page: Page) -> None:
    open_app(page, f"{serve().url}/bifurcation")
    before = pixels(page)
    begin(page, "Fine")
    expect(page.get_by_role("button", name="Compute")).to_be_disabled()
    wait_for_model(page, "note", "/^<p>column \\d+ of 600/.test(model.text)")
    seen = width(page)
    wait_for_model(page, "bar", f"Number(/width: ([\\d.]+)%/.exec(model.text)[1]) > {seen}")
    wait_for_model(page, "note", "model.text == '<p>600 columns, each with its own orbits</p>'")
    assert width(page) == 100
    wait_idle(page)
    assert pixels(page) != before
    expect(page.get_by_role("button", name="Compute")).to_be_enabled()


def test_cancel_ends_the_work_and_another_can_begin(serve: Callable[..., RunningServer], page: Page) -> None:
    open_app(page, f"{serve().url}/bifurcation")
    begin(page, "As fine as it gets")
    wait_for_model(page, "note", "/^<p>column \\d+ of 1800/.test(model.text)")
    page.get_by_role("button", name="Cancel").click()
    wait_for_model(page, "note", "model.text == '<p>cancelled</p>'")
    assert width(page) == 0
    begin(page, "A sketch")
    wait_for_model(page, "note", "model.text == '<p>240 columns, each with its own orbits</p>'")


def test_page_of_a_server_that_was_killed_in_the_middle_says_so_and_begins_again(
    serve: Callable[..., RunningServer], page: Page, folder: Path, complaints: Complaints
) -> None:
    server = serve()
    open_app(page, f"{server.url}/bifurcation")
    begin(page, "As fine as it gets")
    wait_for_model(page, "note", "/^<p>column \\d+ of 1800/.test(model.text)")
    until(lambda: saved(folder, '"diagram"'), "the job is saved with its session")
    expect_back(page)
    server.process.kill()
    server.process.wait()
    serve()
    wait_until_back(page, 10)
    again = r"^<p>The server was restarted at \d+ %, so it begins again: column \d+ of 1800"
    wait_for_model(page, "note", f"/{again}/.test(model.text)")
    expect(page.get_by_role("button", name="Compute")).to_be_disabled()
    page.get_by_role("button", name="Cancel").click()
    wait_for_model(page, "note", "model.text == '<p>cancelled</p>'")
    complaints.clear()  # the browser says that the connection was refused
