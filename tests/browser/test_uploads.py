"""What is larger than the server accepts: the page names the limit, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsers.pages import Complaints, drag_slider, open_app, patience_ms, wait_for_model
from tests.support.server import RunningServer, running_server
from tests.support.waiting import until

pytestmark = pytest.mark.browser

APPS = Path(__file__).with_name("apps")
LIMIT = "This server accepts 0.2 MB at once: a file may have about 0.15 MB. Choose a smaller file"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Two processes that accept 200 KB at once."""
    apps = APPS / "uploads.py", APPS / "dropping.py"
    flags = "--num-procs=2", "--websocket-max-message-size=200000"
    with running_server(*apps, *flags) as started:
        yield started


def _file(size: int, name: str = "file.bin") -> Any:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": bytes(size)}


def _folder(path: Path, size: int) -> Path:
    path.mkdir()
    for name in ("a.bin", "b.bin"):
        (path / name).write_bytes(bytes(size))
    return path


def _assert_refused_and_goes_on(page: Page, too_much: Callable[[], None], enough: Callable[[], None]) -> None:
    """The page says that it was too much, is back, follows its slider, and accepts less."""
    page.evaluate("() => { window.back = 0; Bokeh.documents[0].on_event('client_reconnected', () => window.back++) }")
    too_much()
    page.wait_for_function("() => window.back > 0", timeout=patience_ms(20))
    note = page.get_by_role("alert")
    expect(note).to_have_count(1)
    expect(note).to_contain_text("Not received: that was too large")
    expect(note).to_contain_text(LIMIT)
    page.get_by_role("button", name="Close").click()
    expect(note).to_have_count(0)  # of those that can be seen
    drag_slider(page, 0, 30)
    wait_for_model(page, "seen", "model.text.startsWith('slider')")
    enough()
    wait_for_model(page, "seen", "model.text.endsWith('characters')")


def test_page_says_what_the_limit_is_and_goes_on_whatever_was_too_large(
    server: RunningServer, page: Page, tmp_path: Path, complaints: Complaints
) -> None:
    open_app(page, f"{server.url}/uploads")
    files, folder, text = page.locator("input[type=file]").first, page.locator("input[type=file]").last, "textarea"
    _assert_refused_and_goes_on(
        page,
        lambda: files.set_input_files([_file(100_000, "a.bin"), _file(100_000, "b.bin")]),
        lambda: files.set_input_files([_file(10_000, "a.bin"), _file(10_000, "b.bin")]),
    )
    _assert_refused_and_goes_on(
        page,
        lambda: folder.set_input_files(_folder(tmp_path / "large", 100_000)),
        lambda: folder.set_input_files(_folder(tmp_path / "small", 10_000)),
    )

    def paste(size: int) -> None:
        page.locator(text).fill("x" * size)
        page.locator(text).press("Tab")

    _assert_refused_and_goes_on(page, lambda: paste(300_000), lambda: paste(300))
    complaints.clear()


def test_page_that_never_comes_back_keeps_its_connection(server: RunningServer, page: Page) -> None:
    open_app(page, f"{server.url}/dropping")
    files, note = page.locator("input[type=file]"), page.get_by_role("alert").filter(has_text=LIMIT)
    files.set_input_files(_file(300_000, "first.bin"))
    expect(note).to_have_count(1)
    files.set_input_files(_file(300_000, "second.bin"))
    until(lambda: server.log_text().count("ignoring a message from") == 2)
    page.get_by_role("button", name="Close").click()
    expect(note).to_have_count(0)
    files.set_input_files(_file(30_000, "third.bin"))
    expect(page.get_by_text("30000 bytes")).to_be_visible()
