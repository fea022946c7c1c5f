"""Work that several processes want done is done by one of them."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app_server.http import compression
from app_server.http.claim import claimed
from tests.support.waiting import until


def test_second_one_waits_until_the_first_is_done(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with claimed(tmp_path / "claim", 60):
            order.append("second")

    with claimed(tmp_path / "claim", 60):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.4)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_nobody_waits_for_one_that_is_stopped(tmp_path: Path) -> None:
    hold = "import sys, time; from pathlib import Path; from app_server.http.claim import claimed\n"
    hold += "with claimed(Path(sys.argv[1]), 60): print('held', flush=True); time.sleep(600)"
    words = [sys.executable, "-c", hold, tmp_path / "claim"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        begin = time.monotonic()
        with claimed(tmp_path / "claim", 0.5):
            assert time.monotonic() - begin >= 0.5
        # It is still the other's.
        assert (tmp_path / "claim").exists()
        holder.kill()
    with claimed(tmp_path / "claim", 60):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_child_of_the_holder_keeps_no_claim(tmp_path: Path) -> None:
    with (tmp_path / "claim").open("ab") as waiting:
        with claimed(tmp_path / "claim", 60):
            child = os.fork()
            if not child:
                signal.pause()
        try:
            fcntl.flock(waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def test_everybody_is_let_in_if_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with claimed(tmp_path / "file" / "claim", 60), claimed(tmp_path / "file" / "claim", 60):
        pass


def test_servers_that_start_together_make_one_small_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "script.js"
    script.write_bytes(b"const answer = 42;\n" * 1000)
    begun, go_on, made = threading.Event(), threading.Event(), []

    def compress(content: bytes) -> bytes:
        begun.set()
        assert go_on.wait(60)
        made.append(content)
        return real(content)

    real = compression.compress_small
    monkeypatch.setattr(compression, "compress_small", compress)
    caches = [compression.Cache(tmp_path / "cache") for _ in range(3)]
    for cache in caches:
        cache.ask_for_small(script)
    until(begun.is_set)
    go_on.set()
    for cache in caches:
        cache.wait()
    digest = compression.digest_of(script.read_bytes())
    held = [cache.held(digest, "br") for cache in caches]
    assert len(made) == 1
    assert all(variant is not None and variant.final for variant in held)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{digest}.11.br"]
