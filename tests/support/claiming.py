"""Another process that owns a session in a store, and what it finds when it writes.

with claiming(str(folder), key) as owner:
    assert owner.answer == "claimed"
    owner.do("append")
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from app_server.store.base import Write
from app_server.store.errors import StoreError
from app_server.store.location import open_store


class Owner:
    """The process; `answer` is what came of its claim."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.answer = self.read()

    def do(self, word: str) -> str:
        """Have it do something: see `main`. What came of it, in one line."""
        assert self.process.stdin is not None
        print(word, file=self.process.stdin, flush=True)
        return self.read()

    def read(self) -> str:
        """Its next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def claiming(location: str, key: str) -> Iterator[Owner]:
    """A process that has tried to claim the session; it ends with the block."""
    words = [sys.executable, "-m", "tests.support.claiming", location, key]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Owner(process)
        finally:
            process.kill()


def main(location: str, key: str) -> None:
    """Claim, then do what the lines of stdin say: write, append, renew, release, delete; or fork a child that stays."""
    store = open_store(location, ttl_s=1000, max_bytes=1_000_000)
    assert store is not None
    try:
        claim = store.claim(key, create=True)
    except StoreError as error:
        print(type(error).__name__, flush=True)
        return
    assert claim is not None
    print("claimed", flush=True)
    for line in sys.stdin:
        word = line.strip()
        try:
            if word in ("write", "append"):
                lost = store.write([Write(claim, word.encode(), word == "write")])
                print("lost" if lost else "written", flush=True)
            elif word == "renew":
                print("lost" if store.renew([claim]) else "renewed", flush=True)
            elif word == "fork":
                print(_fork(), flush=True)
            else:
                getattr(store, word)(claim)
                print("done", flush=True)
        except StoreError as error:
            print(type(error).__name__, flush=True)


def _fork() -> int:
    child = os.fork()
    if child == 0:
        # It is ended by the test.
        sys.stdout.close()
        while True:
            time.sleep(60)
    return child


if __name__ == "__main__":
    main(*sys.argv[1:])
