"""Visitors whose session's process ends before it answers: each gets an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from tests.protocol.conftest import Served, serving
from tests.support.client import Answer
from tests.support.waiting import until

FALLING = """
import ctypes, os, time

from bokeh.models import Div
from bokeh.plotting import curdoc

request = curdoc().session_context.request
how = request.arguments.get("how", [b""])[0]
if how == b"loop":
    while True:
        time.sleep(0.001)
elif how == b"crash":
    ctypes.string_at(0)
elif how == b"leave":
    os._exit(3)
curdoc().add_root(Div(name="it", text="here"))
"""

STOPPING = """
import asyncio, os, signal

async def on_session_created(context):
    if context.request.arguments.get("how") == [b"stop"]:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()
"""

HOOK = """
import os, pathlib

def on_server_loaded(context):
    left = pathlib.Path(os.environ["FALLS_LEFT"])
    number = int(left.read_text())
    if number:
        left.write_text(str(number - 1))
        os._exit(3)
"""


def application(folder: Path, code: str, hooks: str) -> Path:
    """A folder with this application."""
    (folder / "app").mkdir()
    (folder / "app" / "main.py").write_text(code)
    (folder / "app" / "app_hooks.py").write_text(hooks)
    return folder / "app"


@pytest.fixture(scope="module", params=["http", "https"])
def falling(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An application that ends the process of its session as the page's address says."""
    folder = tmp_path_factory.mktemp("falling")
    flags = ["--isolation", "process", "--drain-deadline", "1", "--metrics"]
    if request.param == "https":
        trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "pem")
        flags += ["--ssl-certfile", str(folder / "pem")]
    with serving(application(folder, FALLING, STOPPING), *flags) as served:
        yield served


def is_asked_to_come_again(answer: Answer) -> bool:
    """Whether this is the answer for a visitor whose session has ended, and says when to come again."""
    return (
        answer.status == 503
        and answer.headers["retry-after"] == "2"
        and "This session ended before it could answer" in answer.text
    )


@pytest.mark.parametrize("how", ["crash", "leave", "stop"])
@pytest.mark.parametrize("path", ["/app", "/app/autoload.js"])
def test_visitor_whose_session_ends_while_it_starts_is_asked_to_come_again(
    falling: Served, path: str, how: str
) -> None:
    query = {"bokeh-autoload-element": "e1", "bokeh-app-path": "/app"} if path.endswith(".js") else {}
    assert is_asked_to_come_again(falling.site.get(path, how=how, **query))
    falling.process.wait_for_log("/app: the process of a session ended before it answered")
    assert falling.site.get("/app").status == 200


def test_visitor_whose_session_exceeds_a_limit_while_it_starts_is_asked_to_come_again(tmp_path: Path) -> None:
    with serving(application(tmp_path, FALLING, ""), "--isolation", "process", "--callback-limit", "1") as served:
        assert is_asked_to_come_again(served.site.get("/app", how="loop"))
        served.process.wait_for_log("killed: a callback exceeded --callback-limit")


def test_sessions_that_end_while_they_start_are_counted(falling: Served) -> None:
    def failed() -> int:
        found = re.search(r'refused_total{.*reason="failed"} (\d+)', falling.site.get("/metrics").text)
        return int(found[1]) if found else 0

    before = failed()
    falling.site.get("/app", how="leave")
    until(lambda: failed() == before + 1)


def test_all_of_many_visitors_are_answered_whatever_their_sessions_do(falling: Served) -> None:
    ways = ["", "leave", "", "crash"] * 10

    def visit(how: str) -> bool:
        answer = falling.site.get("/app", how=how)
        return is_asked_to_come_again(answer) if how else answer.status == 200

    with ThreadPoolExecutor(10) as pool:
        assert all(pool.map(visit, ways))


def test_page_whose_process_ends_before_it_reads_the_request_gets_another_one_but_not_endlessly(tmp_path: Path) -> None:
    count = tmp_path / "left"
    count.write_text("100")
    app = application(tmp_path, "from bokeh.plotting import curdoc\ncurdoc()\n", HOOK)
    with serving(app, "--isolation", "process", env={"FALLS_LEFT": str(count)}) as served:
        answer = served.site.get("/app")
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert int(count.read_text()) >= 95
        count.write_text("2")
        until(lambda: served.site.get("/app").status == 200)
