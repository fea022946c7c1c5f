"""Chromium through the generated proxies with TLS: HTTP/2, a WebSocket, and an instance that dies."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app_server.tls.development import development_certificate
from tests.support.browsers.pages import Complaints, drag_slider, model_value, open_app, patience_ms, wait_for_model
from tests.support.deployments.deployed import plan_of, running_instances, running_proxy_of
from tests.support.deployments.proxies import proxy_folder

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")
DEPLOYMENT = """
apps: {{arrays: arrays.py}}
instances: 2
proxy: {kind}
tls: {{certificate: {folder}/localhost.pem, key: {folder}/localhost.key}}
"""


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_page_comes_over_http_2_and_goes_on_at_another_instance_when_its_own_dies(
    kind: str, page: Page, processes: ExitStack, complaints: Complaints
) -> None:
    folder = processes.enter_context(proxy_folder())
    development_certificate(["localhost"], folder)
    plan = plan_of(DEPLOYMENT.format(kind=kind, folder=folder), folder, APPS)
    servers = processes.enter_context(running_instances(plan))
    processes.enter_context(running_proxy_of(plan, folder))

    open_app(page, f"{plan.site.url}arrays")
    protocol = page.evaluate("() => performance.getEntriesByType('navigation')[0].nextHopProtocol")
    assert protocol == "h2"
    before = model_value(page, "plot", "model.title.text")
    drag_slider(page, 0, 40)
    wait_for_model(page, "plot", f"model.title.text != {before!r}")

    page.evaluate("() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }")
    [route] = set(re.findall(r"/_i/(a\d)/", page.content()))
    owner = [instance.route for instance in plan.instances].index(route)
    servers[owner].process.kill()
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(30))
    # The other instance has built the session again, from the token that the page still had.
    now = model_value(page, "plot", "model.title.text")
    drag_slider(page, 0, 25)
    wait_for_model(page, "plot", f"model.title.text != {now!r}")
    assert "Traceback" not in servers[1 - owner].log_text()
    complaints.clear()
