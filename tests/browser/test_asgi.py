"""Pages of the ASGI application at uvicorn in Chromium: by itself, mounted, restarted, and with Panel."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_saved_sessions import APP, work_on
from tests.support.browsers.pages import (
    Complaints,
    count_colours,
    drag_slider,
    keep_from_other_hosts,
    model_value,
    open_app,
    pixels,
    wait_for_model,
    wait_idle,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process, running_server

pytestmark = pytest.mark.browser

MOUNTED = """
from fastapi import FastAPI, Response
from app_server.asgi import BokehASGI

bokeh = BokehASGI({"/sliders": SLIDERS, "/panel": PANEL})
app = FastAPI(lifespan=bokeh.lifespan)
app.mount("/some/plots", bokeh)


@app.get("/api")
def api():
    return {"sessions": len(bokeh.get_sessions())}


@app.get("/favicon.ico")
def icon():
    return Response(status_code=204)
"""


@pytest.fixture(scope="module")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An application of bokeh's and one of Panel's below a path of FastAPI's."""
    folder = tmp_path_factory.mktemp("mounted")
    paths = {"SLIDERS": EXAMPLES / "seed" / "sliders.py", "PANEL": EXAMPLES / "panel" / "dashboard.py"}
    source = "".join(f"{name} = {str(path)!r}\n" for name, path in paths.items()) + MOUNTED
    (folder / "mounted_site.py").write_text(source, encoding="utf-8")
    port = free_port()
    words = [*"-m uvicorn mounted_site:app --log-level warning --port".split(), str(port)]
    env = {"PYTHONPATH": str(folder)}
    with running_process([sys.executable, *words], f"http://localhost:{port}", cwd=folder, env=env) as started:
        yield started
        assert "Traceback" not in started.log_text()


def test_mounted_page_is_drawn_and_stays_in_sync(mounted: RunningServer, page: Page) -> None:
    keep_from_other_hosts(page)  # once Panel is imported, bokeh has each page of the process load its style sheets
    open_app(page, f"{mounted.url}/some/plots/sliders")
    assert count_colours(pixels(page)) > 20
    before = page.evaluate("() => [...Bokeh.documents[0]._all_models.values()].find(m => m.type == 'Slider').value")
    drag_slider(page, 0, 60)
    page.wait_for_function(
        "([before]) => [...Bokeh.documents[0]._all_models.values()].find(m => m.type == 'Slider').value != before",
        arg=[before],
    )
    wait_idle(page)
    assert page.evaluate("() => fetch('/api').then((answer) => answer.json())")["sessions"] >= 1


def test_mounted_page_of_panel_is_drawn(mounted: RunningServer, page: Page) -> None:
    keep_from_other_hosts(page)
    open_app(page, f"{mounted.url}/some/plots/panel")
    expect(page.locator(".bk-panel-models-layout-Card, .card, .bk-Figure").first).to_be_visible()
    assert count_colours(page.screenshot()) > 20


def test_page_comes_back_when_uvicorn_is_started_again(
    page: Page, processes: ExitStack, tmp_path: Path, complaints: Complaints
) -> None:
    port, folder = free_port(), tmp_path / "saved"

    def serve() -> RunningServer:
        words = (APP, "--port", str(port), "--store", folder, "--unused-session-lifetime", "1000")
        return processes.enter_context(running_server(*words, server="asgi"))

    server = serve()
    worked = work_on(page, f"{server.url}/worked_on", folder)

    def restart() -> None:
        server.stop()
        serve()

    worked.assert_back(restart, within_s=10)
    assert model_value(page, "slider", "model.value") == 7
    wait_for_model(page, "note", "model.text == '3 added'")
    complaints.clear()
