"""What `--dev` does when a file changes, besides what a page shows."""

from __future__ import annotations

import http.client
from pathlib import Path

from tests.support.client import Site
from tests.support.server import running_server

MAIN = """
from bokeh.models import Div
from bokeh.plotting import curdoc
curdoc().add_root(Div(text="{text}"))
"""
HOOKS = """
import asyncio

def on_server_loaded(server_context):
    print("loaded {text}", flush=True)

def on_server_unloaded(server_context):
    print("unloaded {text}", flush=True)

async def on_session_destroyed(session_context):
    await asyncio.sleep(60)
"""


def write(folder: Path, text: str) -> None:
    """The application with this text in its document and hooks."""
    folder.mkdir(exist_ok=True)
    (folder / "main.py").write_text(MAIN.format(text=text), encoding="utf-8")
    (folder / "app_hooks.py").write_text(HOOKS.format(text=text), encoding="utf-8")


def status_of_a_new_page(port: int) -> int:
    """Open the application once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/garden")
    return connection.getresponse().status


def test_reload_unloads_the_old_hooks_and_loads_the_new_ones(tmp_path: Path) -> None:
    write(tmp_path / "garden", "spring")
    with running_server(tmp_path / "garden", "--dev", "--drain-deadline", "0.2") as server:
        server.wait_for_log("loaded spring")
        # This session's hook takes a minute to say goodbye; the developer does not wait for it.
        assert status_of_a_new_page(server.port) == 200
        write(tmp_path / "garden", "summer")
        server.wait_for_log("unloaded spring")
        server.wait_for_log("loaded summer")
        assert status_of_a_new_page(server.port) == 200


def test_page_right_after_a_save_is_the_new_one(tmp_path: Path) -> None:
    app, helper = tmp_path / "garden.py", tmp_path / "seeds.py"
    helper.write_text("name = 'oak'\n", encoding="utf-8")
    source = "import seeds\n" + MAIN.replace('"{text}"', '"{text}" + seeds.name, name="text"')
    app.write_text(source.format(text="a "), encoding="utf-8")
    with running_server(app, "--dev") as server:
        site = Site(server.url)
        for number in range(3):
            app.write_text(source.format(text=f"{number} "), encoding="utf-8")
            with site.client("/garden") as client:
                assert client.value("text", "text").startswith(f"{number} ")
            helper.write_text(f"name = 'elm {number}'\n", encoding="utf-8")
            with site.client("/garden") as client:
                assert client.value("text", "text") == f"{number} elm {number}"
        app.write_text("x = = 1\n", encoding="utf-8")
        assert site.get("/garden").status == 500
        assert site.get("/garden/autoload.js", **{"bokeh-autoload-element": "x"}).status == 500
        app.write_text(source.format(text="mended "), encoding="utf-8")
        assert site.get("/garden").status == 200
