"""A server that stops saves its sessions, sends their clients away, and the next one has them at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.protocol.conftest import SECRET, Served
from tests.protocol.saving.conftest import KEPT, MODES, Place, go_on, work_on
from tests.support.client import Site
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, running_process
from tests.support.waiting import PATIENCE_S, patience


def stop_at(served: Served, number: int) -> None:
    """Send this signal to the server."""
    os.kill(served.process.process.pid, number)


def hand_on(served: Served, sessions: int) -> None:
    """Have the server replace its workers while so many sessions are in use; all go on with what they had."""
    tokens = [served.site.token("/kept") for _ in range(sessions)]
    with ExitStack() as stack:
        clients = [stack.enter_context(served.site.client("/kept", token)) for token in tokens]
        for number, client in enumerate(clients):
            work_on(client, 50 + number)
        stop_at(served, signal.SIGHUP)
        for client in clients:
            assert client.close_code() == 1012
        for number, token in enumerate(tokens):
            with served.site.client("/kept", token) as client:
                go_on(client, 50 + number)
    assert "Traceback" not in served.process.log_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("flags", MODES, ids=" ".join)
def test_server_that_is_stopped_saves_what_was_done_a_moment_ago(
    place: Place, flags: tuple[str, ...], number: int
) -> None:
    served = place.start(*flags)
    token = served.site.token("/kept")
    with served.site.client("/kept", token) as client:
        work_on(client, 41)
        stop_at(served, number)
        assert client.close_code() == 1012
    assert served.process.process.wait(patience(PATIENCE_S)) == 0
    served = place.start(*flags)
    with served.site.client("/kept", token) as client:
        go_on(client, 41)
    assert "Traceback" not in served.process.log_text()


def test_command_that_drains_a_server_moves_its_sessions(place: Place) -> None:
    served = place.start()
    token = served.site.token("/kept")
    other = place.start(port=free_port())
    with served.site.client("/kept", token) as client:
        work_on(client, 42)
        command = [sys.executable, "-m", "app_server", "drain", str(served.process.process.pid), "--wait"]
        with subprocess.Popen(command, cwd=REPOSITORY) as draining:
            assert client.close_code() == 1012
            with other.site.client("/kept", token) as again:
                go_on(again, 42)
        assert draining.returncode == 0


@pytest.mark.parametrize("flags", MODES[1:], ids=" ".join)
def test_workers_that_are_replaced_hand_their_sessions_on(place: Place, flags: tuple[str, ...]) -> None:
    hand_on(place.start(*flags), sessions=6)


def test_workers_that_gunicorn_replaces_hand_their_sessions_on(place: Place, tmp_path: Path) -> None:
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket", "--workers", "2",
        "--graceful-timeout", f"{patience(3):.0f}",
        "-k", "app_server.gunicorn.Worker", f"app_server.gunicorn:app({str(KEPT)!r}, store={str(place.folder)!r})",
    ]  # fmt: skip
    environment = {"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run"), "BOKEH_SECRET_KEY": SECRET}
    started = place.processes.enter_context(
        running_process(command, f"http://localhost:{port}", env=environment, warm=True)
    )
    hand_on(Served(Site(started.url), started), sessions=4)
