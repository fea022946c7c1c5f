"""Applications in the cells of a real Jupyter server, reached directly and through jupyter-server-proxy."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.support.browsers.pages import (
    Complaints,
    count_colours,
    drag_slider,
    model_value,
    patience_ms,
    pixels,
    wait_for_model,
    wait_idle,
)
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, RunningServer, running_process
from tests.support.waiting import until

pytestmark = pytest.mark.browser

TOKEN = "sesame"
CELL_TIMEOUT_S = 30.0
HEARD_S = 5.0

# The indicator is idle before there is a kernel, too.
_READY = """() => document.querySelector(".jp-Notebook-ExecutionIndicator")?.dataset.status === "idle"
  && document.querySelector(".jp-Toolbar-kernelName")?.textContent.startsWith("Python 3")"""

# A cell that has begun shows a number or a star.
_HEARD = """() => {
  const prompt = document.querySelector(".jp-CodeCell .jp-InputPrompt")
  return prompt != null && prompt.textContent.trim() !== "[ ]:"
}"""


@dataclass(frozen=True)
class Jupyter:
    """A server of notebooks, and the folder that it shows."""

    server: RunningServer
    folder: Path

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of these cells; its address."""
        content = {
            "cells": [
                {"cell_type": "code", "id": f"cell{number}", "metadata": {}, "outputs": [], "execution_count": None,
                 "source": source}
                for number, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }  # fmt: skip
        (self.folder / name).write_text(json.dumps(content), encoding="utf-8")
        return f"{self.server.url}/base/notebooks/{name}?token={TOKEN}"


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """Jupyter below /base/, whose every file lies in folders of the test's own."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")
    port = free_port()
    command = [
        sys.executable, "-m", "notebook", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
        "--ServerApp.base_url=/base/", "--ServerApp.terminals_enabled=False",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    env = {
        **{name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")},
        "IPYTHONDIR": str(home / "ipython"),
        "NO_PROXY": ",".join(filter(None, ["localhost,127.0.0.1", os.environ.get("NO_PROXY")])),
    }
    with running_process(command, f"http://localhost:{port}", cwd=folder, env=env) as server:
        yield Jupyter(server, folder)


@pytest.fixture
def complaints() -> Complaints:
    """No one's: the notebook's own page complains of this and that."""
    return Quiet()


class Quiet(Complaints):
    """Keeps what the application's addresses and scripts complain of, for tests to look at."""

    def assert_none(self) -> None:
        """Nothing: what counts is asserted in the tests."""


def run_all(page: Page, address: str) -> None:
    """Open the notebook and run its cells."""
    page.goto(address)
    page.wait_for_function(_READY, timeout=patience_ms(CELL_TIMEOUT_S))
    choose(page, "Run", "Run All Cells")
    # Who chooses while the notebook still meets its kernel is not heard, and chooses again.
    with suppress(PlaywrightTimeout):
        page.wait_for_function(_HEARD, timeout=patience_ms(HEARD_S))
        return
    choose(page, "Run", "Run All Cells")


def choose(page: Page, menu: str, entry: str) -> None:
    """Choose from the notebook's menus."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=entry, exact=True).click()


def picture(page: Page, name: str) -> None:
    """Keep a screenshot where APP_SERVER_PICTURES names a folder."""
    folder = os.environ.get("APP_SERVER_PICTURES")
    if folder:
        page.screenshot(path=Path(folder) / f"notebook_{name}.png")


def example(show: str) -> list[str]:
    """The example's cells, with another call of `show`."""
    cells = json.loads((EXAMPLES / "notebook" / "live.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sources[-1].count("show(waves)\n") == 0 and sources[-1].endswith("show(waves)")
    return [*sources[:-1], sources[-1].removesuffix("show(waves)") + show]


def assert_it_lives(page: Page) -> None:
    """Drag the slider; Python draws the plot again."""
    slider = page.locator(".noUi-handle")
    with suppress(PlaywrightTimeout):
        slider.wait_for(timeout=patience_ms(CELL_TIMEOUT_S))
    assert slider.count() == 1, page.locator(".jp-Notebook").inner_text()
    wait_idle(page)
    before = pixels(page)
    assert count_colours(before) > 10
    drag_slider(page, 0, 250)
    wait_for_model(page, "count", "model.value > 3")
    waves = model_value(page, "count", "model.value")
    wait_for_model(page, "plot", f"model.title.text === '{waves} waves'")
    wait_idle(page)
    assert pixels(page) != before


def test_application_in_a_cell_follows_its_slider_and_the_cell_restarts_it(jupyter: Jupyter, page: Page) -> None:
    url = jupyter.server.url
    cells = example(f'show(waves, notebook_url="{url}")\nprint("port", handle.server.port)')
    head = "    def changed(attr, old, new):\n"
    cells[0] = cells[0].replace(head, f"{head}        print('moved')\n")
    run_all(page, jupyter.notebook("direct.ipynb", *cells))
    assert_it_lives(page)
    picture(page, "direct")
    expect(page.locator(".jp-CodeCell").nth(1).locator(".jp-OutputArea-output", has_text="moved")).to_be_visible()

    said = page.locator(".jp-OutputArea-output", has_text="port ")
    former = said.inner_text()
    choose(page, "Run", "Run All Cells")
    expect(said).not_to_have_text(former, timeout=patience_ms(CELL_TIMEOUT_S))
    assert_it_lives(page)
    until(lambda: not answers(page, former.split()[1]), "the former server has ended")
    assert answers(page, said.inner_text().split()[1])


def answers(page: Page, port: str) -> bool:
    """Whether something listens on this port."""
    return bool(page.evaluate(
        "port => fetch(`http://localhost:${port}/healthz`, {mode: 'no-cors'}).then(() => true, () => false)", port
    ))  # fmt: skip


def test_application_lives_behind_the_proxy_of_the_notebook(jupyter: Jupyter, page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("websocket", lambda socket: requests.append(socket.url))
    imported = "__import__('app_server.notebook').notebook"
    call = f'show(waves, notebook_url={imported}.proxied("{jupyter.server.url}/base/"))'
    run_all(page, jupyter.notebook("proxied.ipynb", *example(call)))
    assert_it_lives(page)
    picture(page, "proxied")
    host = jupyter.server.url.split("://")[1]
    assert all(url.split("/")[2] == host for url in requests if url.startswith(("http", "ws")))
    assert [url for url in requests if url.startswith(f"ws://{host}/base/proxy/") and url.endswith("/ws")]


def test_cell_shows_what_went_wrong(jupyter: Jupyter, page: Page) -> None:
    broken = (
        "from app_server.notebook import show\n\n"
        "def broken(document):\n    raise ValueError('no data today')\n\n"
        f'show(broken, notebook_url="{jupyter.server.url}")'
    )
    foreign = "def other(document): pass\n\nshow(other, notebook_url='http://localhost:1')"
    missing = "show('no_such_app.py')"
    stopped = f"def late(document): pass\n\nshow(late, notebook_url='{jupyter.server.url}').stop()"
    run_all(page, jupyter.notebook("broken.ipynb", broken, foreign, stopped, missing))
    alerts = page.get_by_role("alert")
    expect(alerts.first).to_contain_text("The application failed", timeout=patience_ms(CELL_TIMEOUT_S))
    outputs = page.locator(".jp-CodeCell")
    expect(outputs.nth(0)).to_contain_text("no data today")
    expect(outputs.nth(0)).to_contain_text("ValueError")
    expect(outputs.nth(1)).to_contain_text(f'notebook_url="{jupyter.server.url}"')
    expect(outputs.nth(2)).to_contain_text("Nothing answers at http://localhost:")
    expect(outputs.nth(2)).not_to_contain_text("Traceback")
    expect(outputs.nth(3)).to_contain_text("no_such_app.py")
    assert page.locator(".jp-RenderedText[data-mime-type='text/plain']").count() == 0
    picture(page, "errors")
