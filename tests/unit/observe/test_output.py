"""Output that cannot be written any more."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from app_server.observe import output
from app_server.observe.output import forgive_output, replace_missing

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


@pytest.fixture
def streams() -> Iterator[None]:
    """stdout and stderr, put back at the end."""
    before = sys.stdout, sys.stderr
    yield
    sys.stdout, sys.stderr = before


@pytest.mark.parametrize("write_through", [False, True])
def test_a_stream_keeps_its_encoding_and_buffering_and_forgives(
    tmp_path: Path, streams: None, write_through: bool
) -> None:
    with (tmp_path / "out").open("wb") as raw, open("/dev/full", "wb", buffering=0) as full:
        # The streams stay in use by others, as those of the process by `sys.__stdout__`.
        given = io.TextIOWrapper(raw, "latin-1", errors="replace", write_through=write_through)
        sys.stdout = given
        sys.stderr = io.TextIOWrapper(full, "utf-8", line_buffering=True, write_through=True)  # type: ignore[arg-type]
        forgive_output()
        assert (sys.stdout.encoding, sys.stdout.errors) == ("latin-1", "replace")
        assert sys.stderr.line_buffering  # type: ignore[attr-defined]
        print("größe 漢", flush=True)
        print("lost", file=sys.stderr, flush=True)
        assert (tmp_path / "out").read_bytes() == b"gr\xf6\xdfe ?\n" and not given.closed


def test_what_is_no_file_stays_as_it_is(streams: None) -> None:
    text = io.StringIO()
    wrapped = io.TextIOWrapper(io.BytesIO())
    sys.stdout, sys.stderr = text, wrapped
    forgive_output()
    assert sys.stdout is text and sys.stderr is wrapped


def test_a_process_without_streams_prints_into_the_void(streams: None, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []

    def missing(number: int) -> None:
        if number != 1:
            raise OSError(9, "Bad file descriptor")

    edge = {"fstat": missing, "open": lambda path, mode: opened.append((path, mode)), "devnull": os.devnull}
    monkeypatch.setattr(output, "os", SimpleNamespace(**edge, O_RDWR=os.O_RDWR))
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    replace_missing()
    for stream in (sys.stdout, sys.stderr):
        with stream:
            stream.write("gone")
    assert opened == [("/dev/null", os.O_RDWR)] * 2  # for stdin and stderr, which were missing
