"""Several signals that mean one request to stop, and the one of a person who does not want to wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app_server.processes.forking.stop_signals import REPEAT_S
from tests.protocol.conftest import APPS, Served, apps, serving
from tests.support.client import PATIENCE_S, Site
from tests.support.ports import free_port
from tests.support.server import REPOSITORY, running_process
from tests.support.waiting import patience

_APART_S = 0.005
MODES = {"alone": [], "workers": ["--num-procs", "2"], "isolation": ["--isolation", "process"]}
BURSTS = {
    "alone": [signal.SIGTERM, signal.SIGTERM],
    "workers": [signal.SIGINT, signal.SIGINT, signal.SIGTERM],
    "isolation": [signal.SIGTERM, signal.SIGINT, signal.SIGTERM],
}


def send(pid: int, numbers: Sequence[int]) -> None:
    """Send these signals, milliseconds apart, as `timeout` and supervisors do."""
    for number in numbers:
        os.kill(pid, number)
        time.sleep(_APART_S)


def assert_ended_in_order(served: Served) -> None:
    """Fail unless the server ends with status 0, all hooks having run."""
    assert served.process.process.wait(patience(PATIENCE_S)) == 0, served.process.log_text()
    log = served.process.log_text()
    assert "session destroyed" in log and "server unloaded" in log
    assert "A second signal" not in log and "SIGKILL" not in log


@pytest.mark.parametrize("mode", MODES)
def test_signals_within_milliseconds_are_one_request(mode: str) -> None:
    with serving(*apps("leaving"), *MODES[mode]) as served:
        with served.site.client("/leaving") as client:
            send(served.process.process.pid, BURSTS[mode])
            assert client.close_code() == 1001
        assert_ended_in_order(served)


def test_what_signals_every_process_of_the_service_is_one_request() -> None:
    with serving(*apps("leaving"), "--num-procs", "2", "--isolation", "process") as served:
        with served.site.client("/leaving") as client:
            main = psutil.Process(served.process.process.pid)
            for process in [main, *main.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()
            assert client.close_code() == 1001
        assert_ended_in_order(served)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_gunicorn_and_its_workers_take_repeated_signals_for_one(number: int) -> None:
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket",
        "--graceful-timeout", str(round(patience(1))),  # after it, gunicorn kills its workers
        "-k", "app_server.gunicorn.Worker", f"app_server.gunicorn:app({str(APPS / 'leaving')!r}, log_level='info')",
    ]  # fmt: skip
    with running_process(command, f"http://localhost:{port}", warm=True) as started:
        served = Served(Site(started.url), started)
        (worker,) = psutil.Process(started.process.pid).children()
        with served.site.client("/leaving"):
            send(started.process.pid, [number, number])
            send(worker.pid, [number, number])
            assert started.process.wait(patience(PATIENCE_S)) == 0
        assert_ended_in_order(served)


@pytest.mark.parametrize(("mode", "status"), [("alone", 1), ("isolation", 1)])
def test_a_signal_that_comes_later_does_not_wait(mode: str, status: int) -> None:
    with serving(*apps("leaving"), *MODES[mode], "--drain", "60") as served:
        with served.site.client("/leaving"):
            served.process.process.terminate()
            served.process.wait_for_log("Stopping")
            time.sleep(REPEAT_S + 0.05)  # what makes it impatience
            served.process.process.send_signal(signal.SIGINT)
            assert served.process.process.wait(patience(PATIENCE_S)) == status
        served.process.wait_for_log("A second signal: stopping at once")


PROGRAM = """
import asyncio, sys
from app_server import Server

class Builder:
    def initialize_document(self, doc): pass
    async def on_server_unloaded(self, context):
        await asyncio.sleep(0.2)
        print("unloaded", flush=True)

server = Server(Builder(), port=int(sys.argv[1]), address="127.0.0.1")
server.run_until_shutdown()
print("over", flush=True)
"""


def test_a_program_that_runs_a_server_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    port = free_port()
    command = [sys.executable, str(tmp_path / "program.py"), str(port)]
    with running_process(command, f"http://localhost:{port}", env={"PYTHONPATH": str(REPOSITORY)}) as started:
        send(started.process.pid, [signal.SIGTERM, signal.SIGTERM, signal.SIGINT])
        assert started.process.wait(patience(PATIENCE_S)) == 0, started.log_text()
        assert started.log_text().splitlines()[-2:] == ["unloaded", "over"]


def test_the_command_timeout_ends_a_server_in_order(tmp_path: Path) -> None:
    command = ["timeout", "170", sys.executable, "-m", "app_server", "serve", *map(str, apps("leaving")), "--port", "0"]
    with (tmp_path / "log").open("wb") as log:
        ended = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=REPOSITORY)
        deadline_s = time.monotonic() + patience(PATIENCE_S)
        while "Serving" not in (tmp_path / "log").read_text() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        ended.terminate()  # which `timeout` passes on, to its child and then to its group
        ended.wait(patience(PATIENCE_S))
    text = (tmp_path / "log").read_text()
    assert "server unloaded" in text and "A second signal" not in text
