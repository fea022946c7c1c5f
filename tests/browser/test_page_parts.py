"""Pages that load at first what their document needs: whatever comes later, and whenever, finds its part of BokehJS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bokeh.embed import server_document
from playwright.sync_api import Browser, Page, Request, Route, WebSocket

from tests.support.browsers.line import cuttable_line
from tests.support.browsers.pages import (
    Complaints,
    model_value,
    open_app,
    patience_ms,
    quiet_program,
    wait_for_model,
    wait_idle,
    window,
)
from tests.support.server import RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")

SLOW = {"offline": False, "latency": 40, "downloadThroughput": 10e6 / 8, "uploadThroughput": 10e6 / 8}
"""A line of 10 Mbit/s, 40 ms away."""

_PART = re.compile(r"/(bokeh[a-z-]*)(\.min)?\.js")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    applications = [APPS / name for name in ("parts.py", "widgets.py", "garden", "tables.py")]
    with running_server(*applications, "--allow-websocket-origin", "*") as started:
        yield started


@dataclass
class Requests:
    """The parts that a page has asked for, in their order, its sockets, and what has come through them."""

    parts: list[str] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("request", self._on_request)
        page.on("websocket", self._on_socket)

    def _on_socket(self, socket: WebSocket) -> None:
        self.sockets.append(socket.url)
        socket.on("framereceived", lambda payload: self.frames.append(str(payload)))

    def _on_request(self, request: Request) -> None:
        if found := _PART.search(request.url):
            self.parts.append(found[1])


@pytest.fixture
def requests(page: Page) -> Requests:
    made = Requests()
    made.listen(page)
    return made


def wait_until_all_is_loaded(page: Page) -> None:
    """Return when the page has all parts, and the browser's own WebSocket again."""
    page.wait_for_function("window.__plain_socket === WebSocket", timeout=patience_ms(20))


@pytest.fixture(autouse=True)
def _remembers_the_browsers_socket(page: Page) -> None:
    page.add_init_script("window.__plain_socket = WebSocket")


@contextmanager
def withheld(page: Page, part: str) -> Iterator[list[Route]]:
    """A block in which the page's requests for a part are not answered; they are, when it ends."""
    held: list[Route] = []
    pattern = re.compile(rf"/{part}\.min\.js")
    page.route(pattern, lambda route: held.append(route))
    try:
        yield held
    finally:
        for route in held:
            route.continue_()
        page.unroute(pattern)


def change(page: Page, edit: Callable[[str], str], policy: str | None = None) -> None:
    """Load pages that this has edited, under this Content-Security-Policy, and which are patient for a moment only."""

    def answer(route: Route) -> None:
        response = route.fetch()
        headers = response.headers if policy is None else {**response.headers, "content-security-policy": policy}
        html = re.sub(r"(\(\"[^\n]*, )10000\);</script>", r"\g<1>100);</script>", response.text())
        route.fulfill(response=response, headers=headers, body=edit(html))

    page.route(re.compile(r"/parts(\?.*)?$"), answer)


def draw(page: Page, url: str) -> None:
    """Load `url` and return when it is drawn, whatever it still loads."""
    page.goto(url)
    wait_idle(page)


def shown(page: Page, what: str) -> None:
    """Return when what the address asked for is drawn."""
    if what == "table":
        page.get_by_text("kiwi").wait_for()
    elif what == "formula":
        page.locator("mjx-container svg").first.wait_for()
    else:
        page.wait_for_function(_FORMULA_IS_DRAWN, timeout=patience_ms(20))


_FORMULA_IS_DRAWN = """() => {
  const label = Bokeh.documents[0].get_model_by_name("added")
  return label != null && Bokeh.index.find_one(label)?._text_view?.svg_image != null
}"""

NEEDS = {
    "table": ["bokeh-widgets", "bokeh-tables"],
    "formula": ["bokeh-widgets", "bokeh-mathjax"],
    "label": ["bokeh-mathjax"],
}


def test_page_of_a_plot_begins_with_the_core_and_loads_the_rest_when_it_is_drawn(
    page: Page, server: RunningServer, requests: Requests
) -> None:
    open_app(page, f"{server.url}/parts")
    wait_until_all_is_loaded(page)
    assert requests.parts == ["bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"]
    assert len(requests.sockets) == 1
    drawn_ms, rest_ms = page.evaluate("""() => {
      const entry = (name) => performance.getEntriesByType("resource").find((one) => one.name.includes(name))
      return [entry("bokeh.min").responseEnd, entry("bokeh-gl.min").startTime]
    }""")
    assert rest_ms > drawn_ms


@pytest.mark.parametrize("what", NEEDS)
@pytest.mark.parametrize("when", ["tick", "1", "100"])
def test_what_is_added_finds_its_part(
    page: Page, server: RunningServer, requests: Requests, what: str, when: str
) -> None:
    slow = page.context.new_cdp_session(page)
    slow.send("Network.emulateNetworkConditions", SLOW)
    draw(page, f"{server.url}/parts?what={what}&when={when}")
    shown(page, what)
    slow.send("Network.emulateNetworkConditions", {**SLOW, "latency": 0, "downloadThroughput": -1})
    wait_until_all_is_loaded(page)
    assert sorted(requests.parts) == sorted(set(requests.parts)), "no part is asked for twice"
    assert len(requests.sockets) == 1


def wait_for_frame(page: Page, requests: Requests, text: str) -> None:
    """Return when the page's browser has received a frame with this text."""
    until(lambda: page.evaluate("true") and any(text in frame for frame in requests.frames))


@pytest.mark.parametrize("what", NEEDS)
def test_message_waits_for_its_part_and_what_follows_waits_with_it(
    page: Page, server: RunningServer, requests: Requests, what: str
) -> None:
    with withheld(page, NEEDS[what][-1]):
        draw(page, f"{server.url}/parts?what={what}&when=drawn")
        wait_for_frame(page, requests, "what follows")
        assert model_value(page, "added", "true") is None
        assert model_value(page, "plot", "model.title.text") == ""
    shown(page, what)
    wait_for_model(page, "plot", "model.title.text == 'what follows'")


@pytest.mark.parametrize("what", NEEDS)
def test_what_is_added_after_a_reconnect_finds_its_part(
    page: Page, server: RunningServer, requests: Requests, complaints: Complaints, what: str
) -> None:
    with cuttable_line(server.port) as line:
        with withheld(page, NEEDS[what][-1]):
            draw(page, f"http://localhost:{line.port}/parts?what={what}&when=back")
            line.cut()
            wait_for_frame(page, requests, "what follows")
            assert len(requests.sockets) == 2
            assert model_value(page, "added", "true") is None
        shown(page, what)
        page.goto("about:blank")  # it would look for its server again, and complain
    # Another part may have been on its way when the line was cut.
    needed = f"{NEEDS[what][-1]}.min.js"
    assert all("ERR_" in text or ("could not be" in text and needed not in text) for text in complaints.messages)
    complaints.clear()


def test_part_that_cannot_be_loaded_is_tried_again_and_then_reported_once(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(re.compile(r"/bokeh-gl\.min\.js"), refuse)
    draw(page, f"{server.url}/parts")
    until(lambda: page.evaluate("true") and any("could not be loaded" in text for text in complaints.messages))
    page.wait_for_function("performance.getEntriesByType('resource').some((one) => one.name.includes('mathjax'))")
    assert len(asked) == 2
    assert len([text for text in complaints.messages if "app-server" in text]) == 1
    complaints.clear()


@pytest.mark.parametrize("body", ["<!DOCTYPE html><title>Log in</title>", "(function() { const cut_off = [1, 2"])
def test_part_that_comes_as_something_else_once_is_loaded_again(
    page: Page, server: RunningServer, complaints: Complaints, body: str
) -> None:
    answered: list[str] = []

    def answer(route: Route) -> None:
        answered.append(route.request.url)
        if len(answered) == 1:
            route.fulfill(body=body, headers={"content-type": "text/html", "cache-control": "max-age=60"})
        else:
            route.continue_()

    page.route(re.compile(r"/bokeh-mathjax\.min\.js"), answer)
    draw(page, f"{server.url}/parts?what=label&when=tick")
    shown(page, "label")
    wait_until_all_is_loaded(page)
    assert len(answered) == 2
    assert [text for text in complaints.messages if "app-server" in text] == []
    complaints.clear()


def test_table_waits_for_widgets_again_if_they_could_not_be_loaded_before(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    widgets = re.compile(r"/bokeh-widgets\.min\.js")
    page.route(widgets, lambda route: route.abort())
    draw(page, f"{server.url}/parts?what=table&when=asked")
    wait_for_part(page, "mathjax")
    page.unroute(widgets)
    page.evaluate("() => { Bokeh.documents[0].get_model_by_name('plot').title.text = 'now' }")
    shown(page, "table")
    wait_until_all_is_loaded(page)
    assert [text.split("/")[-1].split(".")[0] for text in complaints.messages if "app-server" in text][-1:] == [
        "bokeh-tables"
    ]
    complaints.clear()


def change_title_to_now(page: Page) -> None:
    """Let the application add what it was asked for, and return when the page has what follows it."""
    page.evaluate("() => { Bokeh.documents[0].get_model_by_name('plot').title.text = 'now' }")
    wait_for_model(page, "plot", "model.title.text == 'what follows'")


def test_part_that_stays_blocked_is_not_asked_for_with_every_message(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.abort()

    page.route(re.compile(r"/bokeh-mathjax\.min\.js"), refuse)
    draw(page, f"{server.url}/parts?what=label&when=asked")
    for _ in range(8):
        change_title_to_now(page)
    assert len(asked) == 6
    assert len([text for text in complaints.messages if "app-server" in text]) == 3
    complaints.clear()


def test_part_that_was_blocked_is_asked_for_again_after_a_pause(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    mathjax = re.compile(r"/bokeh-mathjax\.min\.js")
    change(page, lambda html: html.replace("PAUSE_MS = 30_000", "PAUSE_MS = 100"))
    page.route(mathjax, lambda route: route.abort())
    draw(page, f"{server.url}/parts?what=label&when=asked")
    for _ in range(5):
        change_title_to_now(page)
    page.unroute(mathjax)
    while page.evaluate("window.__plain_socket !== WebSocket"):
        change_title_to_now(page)
    complaints.clear()


def test_parts_belong_to_the_pages_own_bokehjs_if_another_was_loaded_meanwhile(
    page: Page, server: RunningServer
) -> None:
    embedded = server_document(f"{server.url}/parts", arguments={"what": "table", "when": "tick"})
    change(page, lambda html: html.replace("</body>", f"{embedded}</body>"))
    page.goto(f"{server.url}/parts?what=label&when=tick")
    page.wait_for_function("window.Bokeh?.documents.length == 2", timeout=patience_ms(20))
    shown(page, "table")


def test_page_that_was_saved_looks_for_no_server(
    page: Page, server: RunningServer, requests: Requests, complaints: Complaints, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.html"
    saved.write_bytes(page.request.get(f"{server.url}/parts").body())
    page.goto(saved.as_uri())
    page.evaluate("new Promise((resolve) => requestIdleCallback(resolve))")
    assert requests.sockets == []
    complaints.clear()


def wait_for_part(page: Page, name: str) -> None:
    """Return when the page has loaded this part."""
    found = f"performance.getEntriesByType('resource').some((one) => one.name.includes('{name}.min'))"
    page.wait_for_function(found, timeout=patience_ms(20))


def test_page_that_cannot_be_drawn_loads_all_parts(
    page: Page, server: RunningServer, requests: Requests, complaints: Complaints
) -> None:
    change(page, lambda html: html)
    page.goto(f"{server.url}/parts?what=broken")
    wait_until_all_is_loaded(page)
    assert sorted(requests.parts) == ["bokeh", "bokeh-gl", "bokeh-mathjax", "bokeh-tables", "bokeh-widgets"]
    assert any("cannot be drawn" in text for text in complaints.messages)
    complaints.clear()


def test_page_that_is_never_idle_loads_all_parts(page: Page, server: RunningServer) -> None:
    page.add_init_script("""{
      window.requestIdleCallback = (wanted, {timeout} = {}) => setTimeout(wanted, timeout ?? 1e9)
    }""")
    draw(page, f"{server.url}/parts")
    wait_until_all_is_loaded(page)


def test_ports_of_a_socket_that_has_closed_are_closed(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    page.add_init_script("""
      window.closed_ports = 0
      const stock_close = MessagePort.prototype.close
      MessagePort.prototype.close = function() { closed_ports++; stock_close.call(this) }
    """)
    with cuttable_line(server.port) as line:
        draw(page, f"http://localhost:{line.port}/parts")
        assert page.evaluate("closed_ports") == 0
        line.cut()
        page.wait_for_function("closed_ports == 1", timeout=patience_ms(20))
        page.goto("about:blank")  # it would look for its server again, and complain
    complaints.clear()


def test_late_parts_have_the_nonce_of_the_script_that_loads_them(
    page: Page, server: RunningServer, requests: Requests
) -> None:
    policy = "script-src 'nonce-n0nce' 'unsafe-eval'"
    change(page, lambda html: html.replace("<script", '<script nonce="n0nce"'), policy)
    draw(page, f"{server.url}/parts?what=table&when=tick")
    shown(page, "table")
    wait_until_all_is_loaded(page)
    assert len(requests.sockets) == 1


def test_page_without_the_core_closes_its_socket_and_loads_no_other_part(
    page: Page, server: RunningServer, requests: Requests, complaints: Complaints
) -> None:
    closed: list[str] = []
    page.on("websocket", lambda socket: socket.on("close", lambda _: closed.append(socket.url)))
    page.route(re.compile(r"/bokeh\.min\.js"), lambda route: route.abort())
    change(page, lambda html: html)
    page.goto(f"{server.url}/parts")
    until(lambda: page.evaluate("true") and len(closed) == 1)
    page.evaluate("new Promise((resolve) => requestIdleCallback(resolve))")
    assert requests.parts == ["bokeh"]
    complaints.clear()


def test_socket_of_another_document_leaves_the_early_one_to_the_pages_own(
    page: Page, server: RunningServer, requests: Requests, complaints: Complaints
) -> None:
    other = """<script>new WebSocket(`ws://${location.host}/widgets/ws`, ["bokeh", "another"])</script></head>"""
    change(page, lambda html: html.replace("</head>", other))
    draw(page, f"{server.url}/parts")
    wait_until_all_is_loaded(page)
    assert sorted(url.split("/")[-2] for url in requests.sockets) == ["parts", "widgets"]
    complaints.clear()


def test_page_whose_first_socket_is_refused_tries_once_more(
    page: Page, requests: Requests, complaints: Complaints
) -> None:
    with running_server(APPS / "parts.py", "--allow-websocket-origin", "other.example") as started:
        page.goto(f"{started.url}/parts")
        until(lambda: page.evaluate("true") and any("Could not open websocket" in text for text in complaints.messages))
        assert len(requests.sockets) == 2
        page.goto("about:blank")
    complaints.clear()


def test_page_whose_policy_forbids_its_socket_has_all_parts_and_the_browsers_own_socket(
    page: Page, server: RunningServer, complaints: Complaints
) -> None:
    change(page, lambda html: html, "connect-src https:")
    page.goto(f"{server.url}/parts")
    wait_until_all_is_loaded(page)
    assert any("connect-src" in text for text in complaints.messages)
    complaints.clear()


def test_page_that_is_left_and_opened_again_by_the_back_button_is_drawn(page: Page, server: RunningServer) -> None:
    draw(page, f"{server.url}/parts")
    page.goto(f"{server.url}/widgets")
    wait_idle(page)
    page.go_back()
    wait_idle(page)
    wait_until_all_is_loaded(page)


WEBGL_ARGS = ("--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""For a Chromium that has WebGL without a graphics card."""


@pytest.fixture(scope="module")
def webgl_browser(browser: Browser) -> Iterator[Browser]:
    with quiet_program() as program:
        started = browser.browser_type.launch(executable_path=program, args=[*WEBGL_ARGS, "--ignore-gpu-blocklist"])
        yield started
        started.close()


@pytest.mark.parametrize("when", ["tick", "1", "drawn"])
def test_plot_that_is_added_finds_webgl(webgl_browser: Browser, server: RunningServer, when: str) -> None:
    with window(webgl_browser) as context:
        page = context.new_page()
        page.goto(f"{server.url}/parts?what=webgl&when={when}")
        wait_for_model(page, "added", "Bokeh.index.find_one(model)?.canvas.webgl != null")


def test_page_may_load_all_parts_at_once(page: Page, requests: Requests) -> None:
    with running_server(APPS / "parts.py", "--page-parts", "all") as started:
        open_app(page, f"{started.url}/parts")
        assert requests.parts == ["bokeh", "bokeh-gl", "bokeh-widgets", "bokeh-tables", "bokeh-mathjax"]
        assert page.evaluate("window.__plain_socket === WebSocket")
        page.goto("about:blank")


@pytest.mark.parametrize("flags", ["--num-procs 2", "--isolation process", "--isolation snapshot --num-procs 2"])
def test_what_is_added_finds_its_part_whichever_process_has_the_session(
    page: Page, requests: Requests, flags: str
) -> None:
    with running_server(APPS / "parts.py", APPS / "parts_once.py", *flags.split()) as started:
        draw(page, f"{started.url}/parts?what=table&when=tick")
        shown(page, "table")
        wait_until_all_is_loaded(page)
        requests.parts.clear()
        draw(page, f"{started.url}/parts_once")
        shown(page, "table")
        wait_until_all_is_loaded(page)
        assert requests.parts == ["bokeh", "bokeh-widgets", "bokeh-tables", "bokeh-gl", "bokeh-mathjax"]
        assert len(requests.sockets) == 2
        page.goto("about:blank")
