"""An unmodified BokehJS whose connection is lost comes back to its living session."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.line import Line, cuttable_line
from tests.support.browsers.pages import Complaints, drag_slider, model_value, open_app, patience_ms, wait_for_model
from tests.support.server import RunningServer, running_server
from tests.support.waiting import patience

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """The application, with a token of one second and a small message limit."""
    flags = ("--allow-websocket-origin=*", "--session-token-expiration=1", "--websocket-max-message-size=60000")
    with running_server(APPS / "arrays.py", *flags) as started:
        yield started


@pytest.fixture
def served(server: RunningServer, processes: ExitStack) -> tuple[RunningServer, Line]:
    """The server behind a line of the test's own that can be cut."""
    return server, processes.enter_context(cuttable_line(server.port))


def _open(page: Page, line: Line) -> None:
    open_app(page, f"http://127.0.0.1:{line.port}/arrays")


def _wait_until_back(page: Page) -> None:
    """BokehJS tells its document when it has pulled it again."""
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(20))
    page.evaluate("() => { window.back = 0 }")


def _settled_title(page: Page) -> str:
    """The plot's title when Python has answered the slider's last move."""
    page.wait_for_function(
        "() => { const d = Bokeh.documents[0];"
        " const height = Number(d.get_model_by_name('slider').value.toPrecision(6));"
        " return d.get_model_by_name('plot').title.text == `height ${height}` }"
    )
    return str(model_value(page, "plot", "model.title.text"))


def _count_returns(page: Page) -> None:
    page.evaluate(
        "() => { window.back = window.lost = 0; const document = Bokeh.documents[0];"
        " if (window.counted) return; window.counted = true;"
        " document.on_event('connection_lost', () => window.lost++);"
        " document.on_event('client_reconnected', () => window.back++) }"
    )


def test_a_page_comes_back_to_its_arrays_and_its_session(
    page: Page, served: tuple[RunningServer, Line], complaints: Complaints
) -> None:
    server, line = served
    _open(page, line)
    drag_slider(page, 0, 40)
    title = _settled_title(page)
    for _ in range(2):
        _count_returns(page)
        line.cut()
        _wait_until_back(page)
        assert model_value(page, "plot", "model.title.text") == title
        assert model_value(page, "source", "model.get_array('y').length") == 20_000
        drag_slider(page, 0, 25)
        wait_for_model(page, "plot", f"model.title.text != {title!r}")
        title = _settled_title(page)
        # The automatic range follows the data again.
        height = model_value(page, "source", "model.get_array('y')[0]")
        wait_for_model(page, "plot", f"model.y_range.start < {height} && {height} < model.y_range.end")
    assert "Traceback" not in server.log_text()
    complaints.clear()


def test_a_page_comes_back_after_its_token_has_expired(
    page: Page, served: tuple[RunningServer, Line], complaints: Complaints
) -> None:
    _, line = served
    _open(page, line)
    opened_s = time.time()
    page.wait_for_function("([opened]) => Date.now() / 1000 > opened + 2.5", arg=[opened_s])
    _count_returns(page)
    line.cut()
    _wait_until_back(page)
    drag_slider(page, 0, 40)
    wait_for_model(page, "plot", "model.title.text != 'untouched'")
    complaints.clear()


def test_a_page_that_was_cut_off_in_the_middle_of_a_message_comes_back(
    page: Page, served: tuple[RunningServer, Line], complaints: Complaints
) -> None:
    _, line = served
    _open(page, line)
    _count_returns(page)
    line.cut_after(1_000_000)
    page.get_by_role("button", name="large").click()
    _wait_until_back(page)
    assert model_value(page, "source", "model.get_array('y').length") == 300_000
    drag_slider(page, 0, 40)
    wait_for_model(page, "plot", "model.title.text != 'untouched'")
    complaints.clear()


def test_a_page_that_was_cut_off_after_any_frame_comes_back_soon(
    page: Page, served: tuple[RunningServer, Line], complaints: Complaints
) -> None:
    """Whether its person goes on or waits: a PATCH-DOC of two arrays is a header, metadata, content and four frames."""
    _, line = served
    _open(page, line)
    handle = page.locator(".noUi-handle")
    handle.press("ArrowRight")
    wait_for_model(page, "plot", "model.title.text != 'untouched'")
    between_messages_s = max(_seconds_until_back(page, line.cut) for _ in range(3))
    for frames, goes_on in [*((number, True) for number in range(1, 7)), *((number, False) for number in range(1, 5))]:
        title = _settled_title(page)

        def interrupt(frames: int = frames, goes_on: bool = goes_on) -> None:
            line.cut_after_frames(frames)
            handle.press("ArrowRight")
            page.wait_for_function("() => window.lost > 0")
            if goes_on:
                page.keyboard.press("ArrowRight")

        assert _seconds_until_back(page, interrupt) < between_messages_s + patience(3), (frames, goes_on)
        wait_for_model(page, "plot", f"model.title.text != {title!r}")
        # A document pulled while a move is under way has the slider where it was; the next move goes on from there.
        handle.press("ArrowLeft")
    _settled_title(page)
    complaints.clear()


def _seconds_until_back(page: Page, interrupt: Callable[[], None]) -> float:
    """How long a page takes to come back when this has interrupted it."""
    _count_returns(page)
    interrupt()
    begin_s = time.monotonic()
    _wait_until_back(page)
    return time.monotonic() - begin_s


def test_page_says_that_a_file_was_too_large_and_goes_on(
    page: Page, served: tuple[RunningServer, Line], complaints: Complaints
) -> None:
    server, line = served
    start = len(server.log_text())
    _open(page, line)
    _count_returns(page)
    page.locator("input[type=file]").set_input_files(
        {"name": "large.bin", "mimeType": "application/octet-stream", "buffer": bytes(300_000)}
    )
    _wait_until_back(page)
    note = page.get_by_role("alert")
    expect(note).to_contain_text("Not received: that was too large")
    expect(note).to_contain_text("0.06 MB")
    drag_slider(page, 0, 40)
    wait_for_model(page, "plot", "model.title.text != 'untouched'")
    log = server.log_text()[start:]
    assert "--websocket-max-message-size" in log and "/arrays session " in log and "60,000 bytes" in log
    complaints.clear()
