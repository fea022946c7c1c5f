"""Pages that have their document before BokehJS is there, which gets it for its own request, and then what follows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, WebSocket

from tests.support.browsers.line import cuttable_line
from tests.support.browsers.pages import open_app, wait_for_model, wait_for_rest, wait_idle
from tests.support.server import RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(
        APPS / "parts.py", APPS / "arrays.py", APPS / "flooding.py", "--allow-websocket-origin", "*"
    ) as started:
        yield started


@dataclass
class Frames:
    """What has gone through a page's sockets."""

    sockets: int = 0
    closed: int = 0
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("websocket", self._on_socket)

    def _on_socket(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("close", self._on_close)
        socket.on("framesent", lambda payload: self.sent.append(str(payload)))
        socket.on("framereceived", lambda payload: self.received.append(str(payload)))

    def _on_close(self, _: WebSocket) -> None:
        self.closed += 1

    @property
    def requests(self) -> int:
        """How often the document was asked for."""
        return sum("PULL-DOC-REQ" in frame for frame in self.sent)

    def wait_for(self, page: Page, text: str) -> None:
        """Return when the page's browser has received a frame with this text."""
        until(lambda: page.evaluate("true") and any(text in frame for frame in self.received))


@pytest.fixture
def frames(page: Page) -> Frames:
    made = Frames()
    made.listen(page)
    return made


@contextmanager
def withheld_core(page: Page) -> Iterator[None]:
    """A block in which the page waits for BokehJS."""
    held: list[Route] = []
    core = re.compile(r"/bokeh\.min\.js")
    page.route(core, lambda route: held.append(route))
    try:
        yield
    finally:
        for route in held:
            route.continue_()
        page.unroute(core)


def begin(page: Page, url: str) -> None:
    """Begin to load `url`."""
    page.goto(url, wait_until="commit")


def test_document_is_there_before_bokehjs_and_not_asked_for_again(
    page: Page, server: RunningServer, frames: Frames
) -> None:
    with withheld_core(page):
        begin(page, f"{server.url}/parts")
        frames.wait_for(page, "PULL-DOC-REPLY")
    wait_idle(page)
    wait_for_model(page, "plot", "true")
    assert (frames.sockets, frames.requests) == (1, 0)


def test_changes_that_come_before_bokehjs_follow_the_document(
    page: Page, server: RunningServer, frames: Frames
) -> None:
    with withheld_core(page):
        begin(page, f"{server.url}/parts?what=table&when=300")
        frames.wait_for(page, "what follows")
        assert "PULL-DOC-REPLY" in "".join(frames.received)
    page.get_by_text("kiwi").wait_for()
    wait_for_model(page, "plot", "model.title.text == 'what follows'")
    assert (frames.sockets, frames.requests) == (1, 0)


def test_socket_that_was_lost_before_bokehjs_came_is_opened_again(
    page: Page, server: RunningServer, frames: Frames
) -> None:
    with cuttable_line(server.port) as line:
        with withheld_core(page):
            begin(page, f"http://localhost:{line.port}/arrays")
            frames.wait_for(page, "PULL-DOC-REPLY")
            line.cut()
        wait_idle(page)
        wait_for_rest(page)
        assert frames.sockets == 2
        page.goto("about:blank")


def test_arrays_come_with_the_early_document(page: Page, server: RunningServer, frames: Frames) -> None:
    with withheld_core(page):
        begin(page, f"{server.url}/arrays")
        frames.wait_for(page, "PULL-DOC-REPLY")
    wait_idle(page)
    wait_for_rest(page)
    assert (frames.sockets, frames.requests) == (1, 0)


def test_page_comes_back_after_its_document_came_early(page: Page, server: RunningServer, frames: Frames) -> None:
    with cuttable_line(server.port) as line:
        open_app(page, f"http://localhost:{line.port}/parts?what=label&when=back")
        line.cut()
        wait_for_model(page, "plot", "model.title.text == 'what follows'")
        assert (frames.sockets, frames.requests) == (2, 1)
        page.goto("about:blank")


def test_refused_early_request_leaves_bokehjs_to_ask(page: Page, server: RunningServer, frames: Frames) -> None:
    was, refused = b'"PULL-DOC-REPLY","reqid":"early"', b'"ERROR"         ,"reqid":"early"'
    with cuttable_line(server.port) as line:
        line.replace(was, refused)
        with withheld_core(page):
            begin(page, f"http://localhost:{line.port}/parts")
            frames.wait_for(page, '"reqid":"early"')
        wait_idle(page)
        wait_for_model(page, "plot", "true")
        assert (frames.sockets, frames.requests) == (1, 1)
        page.goto("about:blank")


def test_early_socket_is_closed_when_bokehjs_looks_elsewhere(page: Page, server: RunningServer, frames: Frames) -> None:
    page.add_init_script("""document.addEventListener("readystatechange", () => {
      if (document.readyState == "interactive") history.replaceState(null, "", "?changed=yes")
    })""")
    page.goto(f"{server.url}/parts")
    wait_idle(page)
    until(lambda: page.evaluate("true") and frames.closed == 1)
    assert (frames.sockets, frames.requests) == (2, 1)


def test_page_that_is_sent_too_much_before_bokehjs_comes_begins_again(
    page: Page, server: RunningServer, frames: Frames
) -> None:
    with withheld_core(page):
        begin(page, f"{server.url}/flooding")
        until(lambda: page.evaluate("true") and frames.closed == 1)
    wait_idle(page)
    wait_for_model(page, "source", "model.get('x').length === 640000")
    assert (frames.sockets, frames.requests) == (2, 1)
