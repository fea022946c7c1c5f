"""The memory of a process, on systems that tell much of it and little."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from app_server import system
from app_server.observe import memory


def test_memory_that_is_used_counts() -> None:
    resident, proportional = memory.resident_bytes(), memory.proportional_bytes()
    size = 64 * 2**20
    with mmap.mmap(-1, size) as used:
        used.write(b"x" * size)
        assert memory.resident_bytes() > resident + size // 2
        now = memory.proportional_bytes()
        if now is not None and proportional is not None:
            assert proportional + size // 2 < now <= memory.resident_bytes() + size // 8


def test_a_system_without_proc_tells_the_peak_and_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: Path, **options: str) -> str:
        raise FileNotFoundError(str(self))

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(system, "NAME", "macOS")  # where the peak is in bytes
    in_bytes = memory.resident_bytes()
    monkeypatch.setattr(system, "NAME", "Linux")  # where it is in KiB
    assert 0 < in_bytes * 1024 <= memory.resident_bytes() < in_bytes * 2048
    assert memory.proportional_bytes() is None


@pytest.mark.parametrize("text", ["", "Rss: 12 kB\n", "Pss: unknown kB\n"])
def test_a_kernel_that_tells_it_otherwise_tells_nothing(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self, **options: text)
    assert memory.proportional_bytes() is None


def test_a_share_is_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self, **options: "Rss: 12 kB\nPss: 7 kB\nPss_Anon: 3 kB\n")
    assert memory.proportional_bytes() == 7 * 1024
