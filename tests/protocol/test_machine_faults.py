"""Faults of the machine: processes that are killed or stand still, and a run folder that is lost or full.

What each may cost is written in docs/when-things-fail.md.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.protocol.conftest import APPS, Served, apps, serving
from tests.support.client import PATIENCE_S, Client, Site
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.waiting import until

MODES = {
    "alone": [],
    "workers": ["--num-procs", "2"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot"],
}


@contextmanager
def machine(folder: Path, *flags: str, **environ: str) -> Iterator[Served]:
    """A server whose run folder lies in `folder`."""
    environment = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(folder / "run"), **environ}
    with serving(*apps("apart.py"), *flags, env=environment) as served:
        yield served


@contextmanager
def gunicorn(folder: Path, *flags: str) -> Iterator[Served]:
    """The same under gunicorn."""
    port = free_port()
    environment = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(folder / "run")}
    command = [
        sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket", "--graceful-timeout",
        "1", "-k", "app_server.gunicorn.Worker", *flags, f"app_server.gunicorn:app({str(APPS / 'apart.py')!r})",
    ]  # fmt: skip
    with running_process(command, f"http://localhost:{port}", env=environment) as started:
        yield Served(Site(started.url), started)


def main(served: Served) -> psutil.Process:
    """The server's main process."""
    return psutil.Process(served.process.process.pid)


def do(client: Client, words: str) -> psutil.Process:
    """Have the application do something; the process that has done it."""
    client.set("field", "value", words)
    return psutil.Process(int(client.value("seen", "text").split()[0]))


def loop_for_ever(client: Client) -> None:
    """Have the application do what is never answered."""
    client.send("PATCH-DOC", {"events": [client.change("field", "value", "loop")]})


def visit(served: Served) -> psutil.Process:
    """Open the page and use it; the process of its session."""
    with served.site.client("/apart") as client:
        return do(client, "this")


# The run folder


@pytest.mark.parametrize("mode", [*MODES, "gunicorn"])
def test_a_run_folder_that_is_deleted_is_made_again_and_sessions_are_found(tmp_path: Path, mode: str) -> None:
    flags = ["--workers", "2"] if mode == "gunicorn" else MODES[mode]
    with (gunicorn if mode == "gunicorn" else machine)(tmp_path, *flags) as served:
        token = served.site.token("/apart")
        with served.site.client("/apart", token) as client:
            before = do(client, "before").pid
            shutil.rmtree(tmp_path / "run")
            assert visit(served).is_running()
            with served.site.client("/apart", token) as again:
                assert again.value("seen", "text") == f"{before} before"
            for _ in range(4):
                visit(served)
            assert do(client, "after").pid == before
        served.process.wait_for_log("made it again")
        log = served.process.log_text()
        assert log.count("made it again") == 1
        assert "Traceback" not in log and " 503 " not in log
        command = [sys.executable, "-m", "app_server", "status", "--json"]
        environ = {**os.environ, "APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")}
        said = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=True).stdout
        assert str(served.process.process.pid) in said
