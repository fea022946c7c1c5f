"""What `app-server html` and `app-server json` write is drawn in Chromium, with BokehJS from each place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app_server.cli import main
from tests.support.browsers.pages import count_colours, drag_slider, model_value, wait_for_model, wait_idle
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, RunningServer, running_process
from tests.support.servers.files import serving_files

pytestmark = pytest.mark.browser

APPLICATION = """
import numpy as np
from bokeh.io import curdoc
from bokeh.layouts import column
from bokeh.models import CustomJS, Slider
from bokeh.plotting import figure

x = np.linspace(0, 12, 300)
plot = figure(title="</script> & <b>", name="plot", width=700, height=300)
curve = plot.line(x, np.sin(x), line_width=3)
slider = Slider(start=1, end=9, value=2, title="width", name="width")
slider.js_on_change("value", CustomJS(args={"glyph": curve.glyph}, code="glyph.line_width = this.value"))
curve.glyph.name = "curve"
curdoc().add_root(column(slider, plot))
curdoc().title = "Alone"
"""
# What docs/commands.md shows for a page of one's own.
OWN_PAGE = """<!DOCTYPE html><html><head><link rel="icon" href="data:,">{scripts}</head><body><div id="here"></div>
<script type="module">
  const json = await (await fetch("app.json")).json()
  await Bokeh.embed.embed_items({{app: json}}, [{{docid: "app", roots: {{[json.roots[0].id]: "here"}}}}])
</script></body></html>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an application."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "app.py").write_text(APPLICATION, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cdn() -> Iterator[RunningServer]:
    """BokehJS alone."""
    port = free_port()
    command = [sys.executable, "-m", "app_server", "static", "--port", str(port), "--address", "localhost"]
    with running_process(command, f"http://localhost:{port}") as started:
        yield started


def assert_alive(page: Page) -> None:
    """The plot is drawn, and the callback in JavaScript works."""
    wait_idle(page)
    assert model_value(page, "plot", "model.title.text") == "</script> & <b>"
    assert count_colours(page.screenshot()) > 20
    drag_slider(page, 0, 60)
    wait_for_model(page, "curve", "model.line_width.value > 2")


def test_page_needs_no_server_and_no_network(folder: Path, page: Page) -> None:
    output = folder / "inline.html"
    assert main(["html", str(folder / "app.py"), "-o", str(output)], os.environ) == 0
    page.context.set_offline(True)
    page.goto(output.as_uri())
    assert page.title() == "Alone"
    assert_alive(page)
    picture = os.environ.get("APP_SERVER_TEST_PICTURES")
    if picture:
        page.screenshot(path=Path(picture) / "standalone.png")


def test_page_takes_bokehjs_from_a_server_of_ones_own(folder: Path, page: Page, cdn: RunningServer) -> None:
    output = folder / "server.html"
    words = ["--resources", "server", "--server-url", cdn.url, "-o", str(output)]
    assert main(["html", str(folder / "app.py"), *words], os.environ) == 0
    page.goto(output.as_uri())
    assert_alive(page)


def test_json_is_shown_by_a_page_of_ones_own(folder: Path, page: Page, cdn: RunningServer) -> None:
    command = [sys.executable, "-m", "app_server", "json", "app.py"]
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, cwd=folder, env=environ, check=True, timeout=30)
    parts = ("bokeh", "bokeh-widgets")
    scripts = "".join(
        f'<script src="{cdn.url}/static/js/{part}.min.js" crossorigin="anonymous"></script>' for part in parts
    )
    (folder / "index.html").write_text(OWN_PAGE.format(scripts=scripts), encoding="utf-8")
    # Another port is another origin, for which the files have to be shared.
    with serving_files(folder) as port:
        page.goto(f"http://localhost:{port}/")
        assert_alive(page)
