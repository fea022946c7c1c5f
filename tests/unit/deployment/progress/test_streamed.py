"""A program's lines, read while it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.deployment.progress.streamed import stream


def test_lines_come_while_the_program_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[str] = []

    def line(text: str) -> None:
        seen.append(text)
        if text == "one":
            gate.write_text("go on", encoding="ascii")  # it waits for this

    script = f"echo one; cat {gate} >/dev/null; printf '\\033[1mtwo\\033[0m\\r\\n' >&2; exit 3"
    assert stream(["sh", "-c", script], line) == (3, "one\ntwo")
    assert seen == ["one", "two"]


def test_program_that_is_interrupted_does_not_stay(tmp_path: Path) -> None:
    pids: list[int] = []

    def line(text: str) -> None:
        pids.append(int(text))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stream(["sh", "-c", "echo $$; exec sleep 600"], line)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_missing_program_is_no_surprise() -> None:
    with pytest.raises(FileNotFoundError):
        stream(["/no/such/program"], print)
