"""A user id that the system does not know, and no HOME: what platforms such as OpenShift start containers with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.protocol.conftest import apps
from tests.support.client import fetch
from tests.support.ports import free_port
from tests.support.server import running_process

UNKNOWN = 54321
HOMELESS = ("unshare", "--user", f"--map-user={UNKNOWN}", f"--map-group={UNKNOWN}", "env", "-u", "HOME", sys.executable)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HOMELESS, "-m", "app_server", *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )


def test_bokeh_by_itself_does_not_start_there() -> None:
    # If it ever does, what lends it a home can go.
    done = subprocess.run([*HOMELESS, "-c", "import bokeh"], capture_output=True, text=True, check=False)
    assert "Could not determine home directory" in done.stderr


@pytest.mark.parametrize("flags", [(), ("--num-procs", "2"), ("--isolation", "process")], ids=" ".join)
def test_applications_are_served_without_a_home(flags: Sequence[str]) -> None:
    port = free_port()
    command = [*HOMELESS, "-m", "app_server", "serve", *map(str, apps("board.py")), "--port", str(port), *flags]
    with running_process(command, f"http://localhost:{port}") as served:
        assert fetch(f"{served.url}/board").status == 200
        assert "Traceback" not in served.log_text()


def test_what_needs_a_home_says_so(tmp_path: Path) -> None:
    done = run("certificate", "app.test")
    assert done.returncode != 0
    assert done.stderr == (
        "app-server: HOME: there is no home folder to keep certificates in. "
        "Set HOME, or XDG_STATE_HOME, to a folder of yours that stays.\n"
    )
