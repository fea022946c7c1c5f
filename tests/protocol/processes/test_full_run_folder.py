"""A run folder on a file system that is full."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.protocol.conftest import Served, apps
from tests.protocol.processes.test_machine_faults import MODES, do, visit
from tests.support.client import Site
from tests.support.ports import free_port
from tests.support.server import running_process
from tests.support.waiting import until
from tools.run_tests import UNSHARE_ROOT


@contextmanager
def little_room(folder: Path, *flags: str) -> Iterator[tuple[Served, Path]]:
    """A server whose run folder is a file system of 60 files, and where one sees that folder."""
    run, port = folder / "run", free_port()
    run.mkdir()
    mount = f'mount -t tmpfs -o size=1m,nr_inodes=60 none {run} && exec "$@"'
    command = [os.environ.get("APP_SERVER_TEST_UNSHARE", "unshare"), *UNSHARE_ROOT, "--mount", "sh", "-c", mount, "sh"]
    command += [sys.executable, "-m", "app_server", "serve", *map(str, apps("apart.py")), "--port", str(port), *flags]
    environ = {"COUNTING_FILE": str(folder / "runs"), "APP_SERVER_RUNTIME_DIR": str(run)}
    with running_process(command, f"http://localhost:{port}", env=environ) as started:
        yield Served(Site(started.url), started), Path(f"/proc/{started.process.pid}/root{run}")


def fill(folder: Path) -> None:
    """Leave no room for another file."""
    with pytest.raises(OSError, match="No space left"):
        for number in range(100):
            (folder / f"fill-{number}").touch()


@pytest.mark.parametrize("mode", ["workers", "process", "snapshot"])
def test_a_full_run_folder_is_503_with_one_line_until_there_is_room(tmp_path: Path, mode: str) -> None:
    with little_room(tmp_path, *MODES[mode]) as (served, inside), served.site.client("/apart") as client:
        before = do(client, "before")
        fill(inside)
        start = served.log_size()
        if mode == "process":
            assert served.site.get("/apart").status == 503
            assert len(served.log_since(start).splitlines()) == 1, served.log_since(start)
            assert "no process for a session: " in served.log_since(start)
            assert "No space left on device" in served.log_since(start)
        elif mode == "workers":
            visit(served)
        os.kill(served.process.process.pid, signal.SIGHUP)
        served.process.wait_for_log("Replacing the workers")
        if mode != "workers":
            served.process.wait_for_log("the old one stays")
        if mode != "workers":
            before.parent().kill()  # type: ignore[union-attr]
            served.process.wait_for_log("cannot hold the server's sockets: No space left on device")
        assert do(client, "after") == before
        for path in inside.glob("fill-*"):
            path.unlink()
        until(lambda: served.site.get("/apart").status == 200)
        visit(served)
        assert "Traceback" not in served.process.log_text()
