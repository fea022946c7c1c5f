"""Widgets of Jupyter in Panel's applications, and Markdown applications: the same assertions under both servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import keep_from_other_hosts, open_app
from tests.support.server import RunningServer, running_server

pytestmark = [pytest.mark.browser]

FEATURES = Path(__file__).parents[1] / "peers" / "panel_features"


@pytest.fixture(scope="module", params=["panel", "ours", "isolated"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """One of the two, and ours with a process for each session."""
    isolated = request.param == "isolated"
    own = Path(__file__).with_name("panel_apps") / "component.py"
    words = (FEATURES / "jupyter_widgets.py", FEATURES / "story.md", own)
    flags = ("--isolation", "process") if isolated else ()
    with running_server(*words, *flags, server="ours" if isolated else request.param) as started:
        yield started


@pytest.fixture(autouse=True)
def _no_other_hosts(page: Page) -> None:
    """The extension asks for a font of another host; tests ask no one."""
    keep_from_other_hosts(page)


def test_widgets_of_jupyter_go_both_ways(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/jupyter_widgets")
    readout, note = page.locator(".widget-readout"), page.locator("input[type=text]")
    expect(readout).to_have_text("3")
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".shown pre")).to_have_text("level 4")
    expect(page.get_by_text("bound 4")).to_be_visible()
    expect(note).to_have_value("moved to 4")
    expect(page.locator("img")).to_have_js_property("naturalWidth", 4)
    page.get_by_role("button", name="reset").click()
    expect(readout).to_have_text("1")
    expect(note).to_have_value("moved to 1")
    note.fill("by hand")
    expect(page.locator(".written pre")).to_have_text("by hand")


def test_two_people_have_widgets_of_their_own(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/jupyter_widgets")
    other = page.context.new_page()
    keep_from_other_hosts(other)
    open_app(other, f"{server.url}/jupyter_widgets")
    page.locator("input[type=text]").fill("first")
    other.locator("input[type=text]").fill("second")
    expect(page.locator(".written pre")).to_have_text("first")
    expect(other.locator(".written pre")).to_have_text("second")
    expect(page.locator("input[type=text]")).to_have_value("first")


def test_files_of_a_component_come_whichever_process_made_the_page(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/component")
    assert page.evaluate("window.lampWasLoaded")
    page.locator(".clicker").click()
    expect(page.locator(".shown pre")).to_have_text("Python counts 1")


def test_markdown_is_shown_as_a_page(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/story")
    expect(page.locator("strong", has_text="first")).to_be_visible()
    expect(page.get_by_text("Hello Ada")).to_be_visible()
    expect(page.locator("code.language-bash", has_text="ls")).to_be_visible()
    page.locator("input[type=text]").fill("Grace")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Hello Grace")).to_be_visible()
