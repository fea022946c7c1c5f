"""What tests do to a page that BokehJS has drawn, and what they read from it."""

from __future__ import annotations

import io
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Response,
    Route,
    ViewportSize,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

from tests.support.browsers import quiet_chromium
from tests.support.waiting import patience

CHROMIUM = os.environ.get("APP_SERVER_TEST_CHROMIUM", "/usr/bin/chromium")
# Without a graphics card WebGL is emulated, at several seconds for a quarter of a million points; BokehJS falls back to
# the canvas, which takes a tenth of that.
CHROMIUM_ARGS = (
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-3d-apis"),
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test has edited may open sockets here
)

IDLE_TIMEOUT_S = 20.0
EXPECT_TIMEOUT_S = 10.0
ACTION_TIMEOUT_S = 30.0

_IDLE = "() => typeof Bokeh !== 'undefined' && Bokeh.documents.length > 0 && Bokeh.documents.every(d => d.is_idle)"
_HAS_THE_REST = """() => [...document.scripts]
  .filter((script) => script.textContent.startsWith("((token"))
  .flatMap((script) => [...script.textContent.matchAll(/"url":"([^"]+)"/g)])
  .every((found) => performance.getEntriesByName(new URL(found[1], document.baseURI).href).length > 0)"""
_MODEL = """([name, expression]) => {
  for (const document of Bokeh.documents) {
    const model = document.get_model_by_name(name)
    if (model != null) return new Function("model", "return " + expression)(model)
  }
  return null
}"""
_MODEL_IS = "([name, expression]) => !!(" + _MODEL + ")([name, expression])"


@contextmanager
def chromium(*prefix: str) -> Iterator[Browser]:
    """A headless Chromium that does not hear of the machine's networks; words before its command may move it elsewhere.

    Until it ends, asyncio cannot start a loop in this thread: Playwright's synchronous interface runs its own there.
    """
    with quiet_program(*prefix) as program, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM_ARGS))
        yield browser
        browser.close()


@contextmanager
def quiet_program(*prefix: str) -> Iterator[Path]:
    """The program of such a Chromium."""
    words = [*prefix, sys.executable, "-IS", quiet_chromium.__file__, CHROMIUM]
    with tempfile.TemporaryDirectory(prefix="chromium-") as folder:
        program = Path(folder) / "chromium"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        yield program


def patience_ms(seconds: float) -> float:
    """As many milliseconds on an idle machine, more on a busy one."""
    return 1000 * patience(seconds)


@contextmanager
def window(browser: Browser, size: tuple[int, int] = (1280, 800), **options: Any) -> Iterator[BrowserContext]:
    """A window with cookies and a cache of its own, as patient as the machine is busy; `options` are Playwright's."""
    viewport: ViewportSize = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, ignore_https_errors=True, **options)
    context.set_default_timeout(patience_ms(ACTION_TIMEOUT_S))
    expect.set_options(timeout=patience_ms(EXPECT_TIMEOUT_S))
    yield context
    context.close()


@dataclass
class Complaints:
    """Console errors, uncaught exceptions and failed requests of a page, in the order in which they came."""

    messages: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Collect what `page` complains about from now on."""
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))
        page.on("response", self._on_response)

    def assert_none(self) -> None:
        """Raise AssertionError with everything collected, if there is anything."""
        assert not self.messages, "the page complained:\n" + "\n".join(self.messages)

    def clear(self) -> None:
        """Forget what a test has expected."""
        self.messages.clear()

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.messages.append(f"console: {message.text}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self.messages.append(f"{response.status}: {response.url}")


def wait_idle(page: Page, timeout_s: float = IDLE_TIMEOUT_S) -> None:
    """Return when BokehJS has drawn every document of the page."""
    page.wait_for_function(_IDLE, timeout=patience_ms(timeout_s))


def wait_for_rest(page: Page, timeout_s: float = IDLE_TIMEOUT_S) -> None:
    """Return when the page has asked for the parts of BokehJS that it did not need at first, and been answered."""
    page.wait_for_function(_HAS_THE_REST, timeout=patience_ms(timeout_s))


def open_app(page: Page, url: str) -> None:
    """Load `url` and return when BokehJS has drawn it, and nothing more is under way."""
    page.goto(url)
    wait_idle(page)
    wait_for_rest(page)


def model_value(page: Page, name: str, expression: str) -> Any:
    """Return what the JavaScript `expression` says of `model`, the model called `name`; None if there is none."""
    return page.evaluate(_MODEL, [name, expression])


def wait_for_model(page: Page, name: str, expression: str, timeout_s: float = IDLE_TIMEOUT_S) -> None:
    """Return when the JavaScript `expression` holds for `model`, the model called `name`."""
    page.wait_for_function(_MODEL_IS, arg=[name, expression], timeout=patience_ms(timeout_s))


def drag_slider(page: Page, index: int, dx: float) -> None:
    """Drag the handle of the page's slider number `index` by `dx` pixels to the right."""
    handle = page.locator(".noUi-handle").nth(index)
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None, f"slider {index} is not visible"
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx, y, steps=8)
    page.mouse.up()


def keep_from_other_hosts(page: Page) -> list[str]:
    """Answer with nothing what a page asks of other hosts, as Panel's templates do for fonts; what it has asked for."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        if urlsplit(route.request.url).hostname in ("localhost", "127.0.0.1", None):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.fulfill(status=200, body="")

    page.route("**/*", answer)
    return asked


def drag_over_plot(page: Page, index: int, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over plot number `index`, between two points given as fractions of its width and height."""
    plot = page.locator(".bk-Canvas").nth(index)
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None, f"plot {index} is not visible"
    page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=8)
    page.mouse.up()


def pixels(page: Page, index: int = 0) -> bytes:
    """Return the pixels that plot number `index` shows, as a PNG file; of the new element while one takes its place."""
    deadline_s = time.monotonic() + patience(IDLE_TIMEOUT_S)
    while (shown := _pixels_if_attached(page, index)) is None:
        assert time.monotonic() < deadline_s, f"plot {index} is not drawn"
    return shown


def wait_until_drawn_anew(page: Page, before: bytes, index: int = 0, timeout_s: float = IDLE_TIMEOUT_S) -> None:
    """Return when plot number `index` shows something else than these pixels; AssertionError if it does not."""
    begin_s = time.monotonic()
    while _pixels_if_attached(page, index) in (before, None):
        late = time.monotonic() > begin_s + patience(timeout_s)
        assert not late, f"plot {index} still shows what it showed before"


def _pixels_if_attached(page: Page, index: int) -> bytes | None:
    """The pixels of a plot; None if another element has taken its place meanwhile."""
    try:
        return page.locator(".bk-Canvas").nth(index).screenshot()
    except PlaywrightError as error:
        if not any(text in error.message for text in ("not attached to the DOM", "Node is either not visible")):
            raise
        return None


def count_colours(png: bytes) -> int:
    """Return how many colours a screenshot holds: 1 is a blank one; stops counting at 4096."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    colours = image.getcolors(maxcolors=4096)
    return len(colours) if colours is not None else 4096
