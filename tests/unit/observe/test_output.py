"""Output that cannot be written any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = """
from app_server.observe.output import forgive_output
forgive_output()
for number in range(3000):
    print(number, flush=number % 2)
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_full_disk_does_not_take_is_lost_without_a_word(unbuffered: str, stream: str) -> None:
    program = PRINTS if stream == "stdout" else f"import sys\nsys.stdout = sys.stderr\n{PRINTS}"
    with Path("/dev/full").open("w") as full:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: full}
        done = subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, check=False, **pipes
        )
    assert (done.returncode, done.stdout or b"", done.stderr or b"") == (0, b"", b"")


def test_what_can_be_written_is() -> None:
    done = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(number) for number in range(3000)]
    assert done.stderr == ""


def test_a_reader_that_has_gone_ends_nothing() -> None:
    process = subprocess.Popen([sys.executable, "-c", PRINTS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert (process.wait(30), process.stderr and process.stderr.read()) == (0, b"")
