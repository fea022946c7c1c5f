"""`app-server static`: BokehJS for pages of every origin, and nothing else."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app_server.cli.running.static import own_settings
from tests.support.bokehjs import VERSION
from tests.support.client import fetch
from tests.support.ports import free_port
from tests.support.server import RunningServer, run_command, running_process


@contextmanager
def serving_bokehjs() -> Iterator[RunningServer]:
    """The command below a prefix, in an environment that an applications' server may share."""
    port = free_port()
    command = [sys.executable, "-m", "app_server", "static", "--port", str(port), "--prefix", "/bokeh"]
    environ = {"BOKEH_SIGN_SESSIONS": "yes", "BOKEH_AUTH_MODULE": "/no/such/file"}
    command += ["--address", "localhost"]
    with running_process(command, f"http://localhost:{port}", env=environ, warm=True) as started:
        yield started


@pytest.fixture(scope="module")
def cdn() -> Iterator[RunningServer]:
    """A server that the tests share; none of them ends it."""
    with serving_bokehjs() as started:
        yield started


def test_files_are_there_for_every_origin_and_compressed(cdn: RunningServer) -> None:
    headers = {"Origin": "https://elsewhere.example", "Accept-Encoding": "br"}
    answer = fetch(f"{cdn.url}/bokeh/static/js/bokeh.min.js?v={VERSION}", headers=headers)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_nothing_else_is_there(cdn: RunningServer) -> None:
    assert fetch(f"{cdn.url}/healthz").status == 200
    for path in ("/", "/bokeh/", "/static/js/bokeh.min.js", "/bokeh/static/js/", "/bokeh/static/../server.py", "/ws"):
        assert fetch(cdn.url + path).status == 404, path
    assert fetch(f"{cdn.url}/bokeh/static/js/bokeh.min.js", method="POST").status == 405


def test_it_says_where_the_files_are_and_ends_at_a_signal() -> None:
    with serving_bokehjs() as cdn:
        cdn.wait_for_log(f"at http://localhost:{cdn.port}/bokeh/static/")
        assert f"Serving BokehJS {VERSION} " in cdn.log_text()
        assert cdn.stop() == 0
        assert "Traceback" not in cdn.log_text()


def test_its_flags_are_those_of_serve_about_the_network_tls_and_the_log() -> None:
    flags = {setting.flag for setting in own_settings()}
    assert flags == {
        "--port", "--address", "--unix-socket", "--prefix", "--use-xheaders", "--ssl-certfile", "--ssl-keyfile",
        "--log-level", "--log-format", "--log-file", "--log-json", "--request-timeout", "--idle-timeout", None,
    }  # fmt: skip


def test_port_that_is_taken_is_a_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command("static", "--port", str(port), "--address", "127.0.0.1")
    assert done.returncode == 1
    assert done.stderr == (
        f"app-server: --port: port {port} is in use. Stop what listens there, or choose another --port.\n"
    )
