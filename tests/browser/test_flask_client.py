"""A Flask page shows a session that it has changed by our client library."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import Complaints, drag_slider, model_value, open_app, wait_for_model
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process, running_server

pytestmark = pytest.mark.browser

SEED = EXAMPLES / "seed"


def flask_page(processes: ExitStack, sliders_url: str, port: int) -> str:
    """Start the page; its address."""
    settings = {"SLIDERS_URL": sliders_url, "PORT": str(port)}
    command = [sys.executable, str(SEED / "flask_client" / "page.py")]
    return processes.enter_context(running_process(command, f"http://localhost:{port}", env=settings)).url


def sliders(processes: ExitStack, origin_port: int) -> RunningServer:
    """Start the sliders for pages of this port."""
    flags = ("--allow-websocket-origin", f"localhost:{origin_port}")
    return processes.enter_context(running_server(SEED / "sliders.py", *flags))


def test_visitor_sees_what_the_page_has_changed(processes: ExitStack, page: Page) -> None:
    port = free_port()
    open_app(page, flask_page(processes, f"{sliders(processes, port).url}/sliders", port))
    assert model_value(page, "plot", "model.title.text") == "Special sliders for a specific user!"
    assert model_value(page, "amplitude", "model.value") == 2
    assert model_value(page, "wave", "Math.max(...model.get('y'))") == pytest.approx(2, abs=0.01)
    drag_slider(page, 0, 20)
    wait_for_model(page, "wave", "Math.max(...model.get('y')) > 2.05")


def test_visitor_sees_that_the_server_is_away(processes: ExitStack, page: Page, complaints: Complaints) -> None:
    page.goto(flask_page(processes, f"http://localhost:{free_port()}/sliders", free_port()))
    expect(page.get_by_text("The sliders are away; please come back in a minute.")).to_be_visible()
    complaints.clear()  # the status is 503
