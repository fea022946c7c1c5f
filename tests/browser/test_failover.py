"""A page behind nginx whose instance dies comes back on another one, with an unmodified BokehJS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.support.browsers.pages import Complaints, drag_slider, open_app, patience_ms, wait_for_model
from tests.support.deployments.deployed import Deployment, running_deployment

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")
THREE = "apps: {arrays: arrays.py}\ninstances: 3\n"


@pytest.fixture
def three() -> Iterator[Deployment]:
    """Three instances of an application behind nginx."""
    with running_deployment(THREE, apps=APPS) as deployment:
        yield deployment


def test_page_comes_back_on_another_instance(three: Deployment, page: Page, complaints: Complaints) -> None:
    open_app(page, f"{three.url}/arrays")
    found = re.search(r"/_i/(a[123])/arrays", page.content())
    assert found is not None
    drag_slider(page, 0, 40)
    wait_for_model(page, "plot", "model.title.text != 'untouched'")
    page.evaluate("() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }")
    owners = zip(three.plan.instances, three.servers, strict=True)
    [owner] = [server for instance, server in owners if instance.route == found[1]]
    owner.process.kill()
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(60))
    # The session was rebuilt elsewhere, and answers what is done now.
    page.evaluate("() => { Bokeh.documents[0].get_model_by_name('plot').title.text = 'waiting' }")
    drag_slider(page, 0, 60)
    wait_for_model(page, "plot", "model.title.text.startsWith('height')")
    lines = [json.loads(line) for line in three.log_lines()]
    # Open sockets have no line yet: those that stand there have ended.
    ended = {line["instance"] for line in lines if line["uri"].endswith("/ws")}
    assert f"127.0.0.1:{owner.port}" in str(ended)
    complaints.clear()
