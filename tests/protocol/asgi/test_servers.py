"""The ASGI application at four servers, each in a process of its own: a page, its socket, and the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.ports import free_port
from tests.support.server import RunningServer, running_process

SITE = """
import logging
from bokeh.models import Div, Slider
from app_server.asgi import BokehASGI

logging.basicConfig(level="INFO", format="%(message)s")


class Application:
    def initialize_document(self, document):
        slider, text = Slider(name="slider", start=0, end=10, value=1), Div(name="text", text="1")
        slider.on_change("value", lambda attr, old, new: setattr(text, "text", str(new)))
        document.add_root(slider)
        document.add_root(text)

    def on_server_loaded(self, server_context):
        print("loaded", flush=True)

    async def on_session_destroyed(self, session_context):
        print("destroyed", flush=True)

    def on_server_unloaded(self, server_context):
        print("unloaded", flush=True)


app = BokehASGI({"/app": Application()})
"""
COMMANDS = {
    "uvicorn": "-m uvicorn site_of_a_test:app --port {port}",
    "uvicorn with wsproto": "-m uvicorn site_of_a_test:app --port {port} --ws wsproto --http h11",
    "hypercorn": "-m hypercorn site_of_a_test:app --bind 127.0.0.1:{port} --graceful-timeout 1",
    "granian": "-m granian site_of_a_test:app --interface asgi --port {port} --workers-kill-timeout 5",
    "gunicorn": "-m gunicorn site_of_a_test:app --bind 127.0.0.1:{port} -k uvicorn_worker.UvicornWorker -w 1",
}


@contextmanager
def at(name: str, folder: Path, flags: str = "", **environment: str) -> Iterator[RunningServer]:
    (folder / "site_of_a_test.py").write_text(SITE, encoding="utf-8")
    port = free_port()
    words = [*COMMANDS[name].format(port=port).split(), *flags.split()]
    # The others start processes that import what they need themselves.
    warm = name in ("gunicorn", "uvicorn", "uvicorn with wsproto") and "--workers" not in flags
    url = f"http://localhost:{port}"
    with running_process([sys.executable, *words], url, cwd=folder, env=environment, warm=warm) as running:
        yield running


@pytest.mark.parametrize("name", COMMANDS)
def test_page_and_socket_work_and_the_hooks_run_at_the_end(name: str, tmp_path: Path) -> None:
    with at(name, tmp_path) as running:
        site = Site(running.url)
        page = site.get("/app", headers={"Accept-Encoding": "br"})
        assert page.status == 200
        assert site.get("/static/js/bokeh.min.js", headers={"Accept-Encoding": "gzip"}).headers["content-encoding"]
        with site.client("/app", page.token, origin=running.url, max_size=2**25) as client:
            assert client.set("slider", "value", 7).msgtype == "OK"
            client.wait_value("text", "text", "7")
            client.set("text", "text", "x" * 2_000_000)
            client.close()
        with pytest.raises(Exception, match="HTTP 403"), site.client("/app", page.token, origin="http://evil.example"):
            raise AssertionError("a page of another site has opened a session")
        status = running.stop()
        log = running.log_text()
        assert status in (0, -15), log
        assert [line for line in log.splitlines() if line in ("loaded", "destroyed", "unloaded")] == [
            "loaded", "destroyed", "unloaded"
        ], log  # fmt: skip
        assert "Traceback" not in log, log


def test_server_without_websockets_says_so_on_the_page(tmp_path: Path) -> None:
    with at("uvicorn", tmp_path, "--ws none") as running:
        site = Site(running.url)
        token = site.token("/app")
        with pytest.raises(Exception, match="HTTP 501"), site.client("/app", token):
            raise AssertionError("a WebSocket was opened")
        page = site.get("/app")
        assert page.status == 501 and "pip install websockets for uvicorn" in page.text
        assert "A browser wanted to open a WebSocket" in running.log_text()


def test_several_workers_need_a_key_in_common(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="2 workers would each sign tokens with a key of their own"):
        with at("gunicorn", tmp_path, "-w 2"):
            raise AssertionError("the workers have started")


def test_pages_work_whichever_of_two_workers_they_and_their_sockets_reach(tmp_path: Path) -> None:
    with at("uvicorn", tmp_path, "--workers 2", BOKEH_SECRET_KEY="s" * 44) as running:
        running.wait_for_log("2 workers share no sessions. A page and its socket may reach different workers")
        site = Site(running.url)
        for _ in range(8):
            with site.client("/app", origin=running.url) as client:
                client.set("slider", "value", 7)
                client.wait_value("text", "text", "7")
