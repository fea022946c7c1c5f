"""Ports for the servers of a test run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.ports import claim, consecutive_ports, free_port

ROOT = Path(__file__).resolve().parents[3]
OTHER_RUN = "from tests.support.ports import free_port; print(free_port(), flush=True); input()"


def test_no_port_is_handed_out_twice() -> None:
    first = consecutive_ports(3)
    assert free_port() not in range(first, first + 3)
    assert claim(range(first, first + 3)), "it is this process's own"


@pytest.mark.parametrize("same_folder", [True, False])
def test_port_that_another_run_has_is_not_handed_out_until_that_has_ended(tmp_path: Path, same_folder: bool) -> None:
    words = [sys.executable, "-c", OTHER_RUN]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)} | ({} if same_folder else {"TMPDIR": str(tmp_path)})
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert not claim(range(port, port + 1)) and not claim(range(port - 1, port + 1))
        other.communicate("\n")
    assert claim(range(port, port + 1))
