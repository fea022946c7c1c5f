"""Scripts, notebooks and folders, one or several, at the root or below it, in their own page or in someone else's."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from bokeh.embed import server_document
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import (
    Complaints,
    count_colours,
    drag_slider,
    model_value,
    open_app,
    pixels,
    wait_for_model,
    wait_idle,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def host_ports() -> tuple[int, int]:
    """Where two other web servers are: one that may embed the applications, one that may not."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def server(host_ports: tuple[int, int]) -> Iterator[RunningServer]:
    """A script, a notebook and a folder."""
    port = free_port()
    origins = [f"--allow-websocket-origin=localhost:{allowed}" for allowed in (port, host_ports[0])]
    applications = (APPS / "asked.py", APPS / "powers.ipynb", APPS / "garden")
    with running_server(*applications, "--port", str(port), *origins) as started:
        yield started


def report(page: Page) -> dict[str, Any]:
    """What the application says of its request."""
    reported: dict[str, Any] = json.loads(model_value(page, "report", "model.text"))
    return reported


def press(page: Page) -> None:
    """Press the application's button and wait until Python has counted that."""
    page.get_by_role("button", name="Press").click()
    wait_for_model(page, "presses", "model.text === '1'")


def sockets_of(page: Page) -> list[str]:
    """The addresses of the WebSockets that the page opens from now on."""
    addresses: list[str] = []
    page.on("websocket", lambda socket: addresses.append(socket.url))
    return addresses


def test_card_of_the_index_leads_to_its_application(server: RunningServer, page: Page) -> None:
    page.goto(server.url)
    expect(page.locator(".card")).to_have_count(3)
    expect(page.locator(".card", has_text="Asked")).to_contain_text("Shows what it knows of the request")
    page.locator(".card", has_text="Asked").click()
    page.wait_for_url(f"{server.url}/asked")
    wait_idle(page)
    expect(page).to_have_title("Asked")
    press(page)
    page.go_back()
    page.locator(".card", has_text="Garden").click()
    wait_idle(page)
    expect(page).to_have_title("A garden")


def test_notebook_is_an_application(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/powers")
    expect(page).to_have_title("Powers")
    before = pixels(page)
    assert count_colours(before) > 10
    drag_slider(page, 0, 2000)
    wait_for_model(page, "plot", "model.title.text === 'power 5'")
    wait_idle(page)
    assert pixels(page) != before


def test_folder_brings_its_theme_template_helper_data_and_static_files(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/garden")
    assert model_value(page, "plot", "model.background_fill_color") == "#fafafa"
    expect(page.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
    expect(page.locator("#script")).to_have_text("the script ran")
    expect(page.locator("#season")).to_have_text("spring <b>&</b> summer")
    expect(page.locator("#left")).to_have_text("fern")
    expect(page.locator("#right .bk-Canvas")).to_be_visible()


def test_page_sees_the_arguments_cookies_and_headers_of_its_request(server: RunningServer, page: Page) -> None:
    page.context.add_cookies([{"name": "flavour", "value": "oat", "url": server.url}])
    page.set_extra_http_headers({"X-Asked": "politely"})
    open_app(page, f"{server.url}/asked?n=1&n=2&word=%C3%BC+%26")
    reported = report(page)
    assert reported["arguments"] == {"n": ["1", "2"], "word": ["ü &"]}
    assert reported["cookies"] == {"flavour": "oat"}
    assert reported["header"] == "politely"
    assert reported["argv"] == []
    press(page)


def test_address_with_a_slash_at_its_end_is_the_application_too(server: RunningServer, page: Page) -> None:
    sockets = sockets_of(page)
    open_app(page, f"{server.url}/asked/?n=1")
    press(page)
    assert [socket.partition("?")[0] for socket in sockets] == [f"{server.url.replace('http', 'ws')}/asked/ws"]


def test_applications_below_a_prefix_on_a_route_with_words_of_their_own(processes: ExitStack, page: Page) -> None:
    listening = ("--port", str(free_port()), "--address", "127.0.0.1")  # all that follows --args is the application's
    flags = ("--glob", "--prefix", "/below/here", "--route", "3", *listening, "--args", "--colour", "green")
    server = processes.enter_context(running_server(APPS / "ask*.py", EXAMPLES / "seed" / "myapp_*", *flags))
    sockets = sockets_of(page)
    page.goto(f"{server.url}/below/here")
    page.locator(".card", has_text="Asked").click()
    page.wait_for_url(f"{server.url}/below/here/asked")
    wait_idle(page)
    assert report(page)["argv"] == ["--colour", "green"]
    press(page)
    # An extension's model, whose JavaScript comes from below the prefix as well.
    open_app(page, f"{server.url}/below/here/myapp_dir")
    expect(page.locator(".density-badge")).to_contain_text("apple")
    # The address that a proxy passes on is answered whichever route it names.
    open_app(page, f"{server.url}/_i/7/below/here/asked")
    press(page)
    ours = server.url.replace("http", "ws")
    addresses = [socket.partition("?")[0] for socket in sockets]
    assert addresses == [f"{ours}/_i/3/below/here/{name}/ws" for name in ("asked", "myapp_dir", "asked")]


class Host(BaseHTTPRequestHandler):
    """Answers every path with the same page."""

    def __init__(self, *args: Any, html: str) -> None:
        self.html = html
        super().__init__(*args)

    def do_GET(self) -> None:
        """Send the page."""
        body = self.html.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@contextmanager
def host_page(port: int, html: str) -> Iterator[str]:
    """The address of a page of another web server."""
    web_server = ThreadingHTTPServer(("127.0.0.1", port), partial(Host, html=html))
    thread = threading.Thread(target=web_server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{port}/"
    finally:
        web_server.shutdown()
        web_server.server_close()


def html_with(*scripts: str) -> str:
    """A page that embeds applications."""
    return f"<!doctype html><link rel=icon href='data:,'><title>The host</title><body>{''.join(scripts)}"


def test_page_of_an_allowed_origin_embeds_several_applications(
    server: RunningServer, host_ports: tuple[int, int], page: Page
) -> None:
    scripts = (
        server_document(f"{server.url}/asked", arguments={"n": "7"}),
        server_document(f"{server.url}/powers"),
        server_document(f"{server.url}/asked", arguments={"n": "8"}),
    )
    with host_page(host_ports[0], html_with(*scripts)) as address:
        page.goto(address)
        page.wait_for_function("typeof Bokeh !== 'undefined' && Bokeh.documents.length === 3")
        wait_idle(page)
        expect(page).to_have_title("The host")
        drag_slider(page, 0, 2000)
        wait_for_model(page, "plot", "model.title.text === 'power 5'")
        reported = "Bokeh.documents.map(d => d.get_model_by_name('report')).filter(m => m).map(m => JSON.parse(m.text))"
        both = page.evaluate(reported)
        assert sorted(report["arguments"]["n"][0] for report in both) == ["7", "8"]
        assert both[0]["id"] != both[1]["id"]
        page.get_by_role("button", name="Press").last.click()
        presses = "Bokeh.documents.map(d => d.get_model_by_name('presses')?.text).filter(t => t !== undefined).sort()"
        page.wait_for_function(f"JSON.stringify({presses}) === JSON.stringify(['0', '1'])")


def test_page_of_another_origin_shows_nothing_and_the_log_names_the_flag(
    server: RunningServer, host_ports: tuple[int, int], page: Page, complaints: Complaints
) -> None:
    with host_page(host_ports[1], html_with(server_document(f"{server.url}/asked"))) as address:
        page.goto(address)
        server.wait_for_log(f"--allow-websocket-origin=localhost:{host_ports[1]}")
        until(lambda: page.evaluate("true") and complaints.messages, "the page is told")
        assert page.evaluate("typeof Bokeh") == "undefined"
        assert page.locator("body").inner_text().strip() == ""
    assert any("CORS" in message or "403" in message for message in complaints.messages)
    complaints.clear()
