"""Nothing ends because what is printed or logged cannot be written."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.protocol.conftest import APPS, Served
from tests.support.client import Site
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.waiting import until

FLAGS = {
    "one": [],
    "several": ["--num-procs", "2"],
    "process": ["--isolation", "process"],
    "snapshot": ["--isolation", "snapshot"],
    "gunicorn": ["gunicorn"],
}


@contextmanager
def printing(flags: Sequence[str], folder: Path, where: str = "", **environ: str) -> Iterator[Served]:
    """Serve an application that prints, with its output redirected as a shell says it."""
    port = free_port()
    if "gunicorn" in flags:
        command = [sys.executable, "-m", "gunicorn", "--bind", f"localhost:{port}", "--no-control-socket"]
        command += ["--graceful-timeout", "1"]
        command += ["-k", "app_server.gunicorn.Worker", f"app_server.gunicorn:app({str(APPS / 'printing.py')!r})"]
    else:
        command = [sys.executable, "-m", "app_server", "serve", str(APPS / "printing.py"), "--port", str(port), *flags]
        command += ["--address", "127.0.0.1", "--unused-session-lifetime", "100", "--check-unused-sessions", "50"]
    shell = ["sh", "-c", f'exec "$@" {where}', "sh", *command]
    environ = {"APP_SERVER_RUNTIME_DIR": str(folder), "PYTHONUNBUFFERED": "", **environ}
    with running_process(shell, f"http://localhost:{port}", env=environ) as started:
        yield Served(Site(started.url), started)


def use(served: Served, words: str) -> int:
    """Open the application, have it print, and leave it; the process in which it lived."""
    with served.site.client("/printing") as client:
        client.set("field", "value", words)
        pid, _, done = str(client.value("seen", "text")).partition(" ")
        assert done == words
        return int(pid)


@pytest.mark.parametrize(
    ("mode", "where"),
    [
        ("process", ">/dev/full"), ("process", ">&- 2>&-"), ("snapshot", ">/dev/full 2>&1"),
        ("several", ">/dev/full 2>&1"), ("one", "2>/dev/full >/dev/full"), ("gunicorn", ">/dev/full 2>&1"),
    ],
)  # fmt: skip
def test_output_that_cannot_be_written_ends_nothing(mode: str, where: str, tmp_path: Path) -> None:
    unbuffered = "1" if mode in ("several", "one", "gunicorn") else ""
    with printing(FLAGS[mode], tmp_path, where, PYTHONUNBUFFERED=unbuffered) as served:
        main = served.process.process.pid
        apart = mode in ("process", "snapshot")
        for words in ("this", "none", "closed", "broken", "that") if apart else ("this", "that"):
            pid = use(served, words)
            if apart:
                until(lambda pid=pid: not psutil.pid_exists(pid))
            assert (tmp_path / str(main)).is_dir()
        served.assert_alive()
    assert not (tmp_path / str(main)).exists()  # an orderly end
    assert served.process.process.returncode == 0
