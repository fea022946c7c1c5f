"""A browser whose screenshots are small files."""

from __future__ import annotations

import io
import os
import platform
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.manual import ROOT

CHROMIUM = os.environ.get("APP_SERVER_TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-3d-apis")
WIDTH, HEIGHT = 1000, 640
COLORS = 128

_DRAWN = """() => typeof Bokeh !== 'undefined' && Bokeh.documents.length > 0
  && Bokeh.documents.every((document) => document.is_idle)"""

PATHS = {
    re.escape(sys.prefix): "/home/ann/venv",
    re.escape(sys.base_prefix): "/usr",
    re.escape(str(ROOT)): "/home/ann/app-server",
    re.escape(platform.release()): "6.12.48",
    re.escape(tempfile.gettempdir()) + r"/pictures-\w+": "/home/ann",
    rf"\b{re.escape(socket.gethostname())}:": "plots:",
    r"localhost:\d{4,5}\b": "localhost:5006",
}
"""What pictures show in place of this machine's folders, kernel, name and ports, by expressions for these."""

_REPLACE = """(paths) => {
  const replace = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      let text = node.data
      for (const [path, shown] of Object.entries(paths)) text = text.replace(new RegExp(path, "g"), shown)
      if (text !== node.data) node.data = text
    }
    if (node.shadowRoot) replace(node.shadowRoot)
    node.childNodes.forEach(replace)
  }
  replace(document.documentElement)
  window.scrollTo(0, 0)
}"""


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield started
        started.close()


@contextmanager
def window(started: Browser, width: int = WIDTH, height: int = HEIGHT, scheme: str = "light") -> Iterator[Page]:
    """A page in a window of its own, with its own cookies."""
    context: BrowserContext = started.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def wait_drawn(page: Page) -> None:
    """Wait until BokehJS has drawn the page's documents."""
    page.wait_for_function(_DRAWN)


def photograph(page: Page, height: int | None = None) -> bytes:
    """What the window shows, after it was made this high."""
    if height is not None:
        page.set_viewport_size({"width": (page.viewport_size or {"width": WIDTH})["width"], "height": height})
    page.evaluate(_REPLACE, PATHS)
    return compressed(page.screenshot(animations="disabled"))


def compressed(png: bytes) -> bytes:
    """The same picture with few colors; the same bytes for the same picture."""
    with Image.open(io.BytesIO(png)) as picture:
        few = picture.convert("RGB").quantize(COLORS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()
