"""A running server's folder for commands that look for one: a process of the test's own that answers from a thread."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from app_server.processes import ipc


def snapshot(sessions: int = 2, connections: int = 1) -> dict[str, Any]:
    """What a server with one application says of itself, as far as commands that end it read it."""
    now = {"sessions": sessions, "connections": connections}
    return {"processes": {"0": {"applications": {"/board": {"now": now, "ever": {}}}}}, "silent": []}


@contextmanager
def pretending(
    base: Path, answer: Callable[[], Mapping[str, Any]] = snapshot, url: str = "http://localhost:5006/"
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its end, and whose server answers questions; its folder goes when it has ended."""
    with subprocess.Popen(["sleep", "600"]) as process, socket.socket(socket.AF_UNIX) as listener, ExitStack() as ends:
        ends.callback(process.kill)
        folder = base / str(process.pid)
        folder.mkdir(parents=True)
        listener.bind(str(folder / f"worker-0-{process.pid}"))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    ipc.receive_now(connection, 10.0)
                    connection.sendall(ipc.Message({"url": url, **answer()}).packed())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield process
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def at_terminal(words: list[str], environ: Mapping[str, str], typed: str) -> tuple[int, list[str]]:
    """The status of an `app-server` command at a terminal where this is typed, and the lines that it shows."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "app_server", *words], env={**os.environ, **environ},
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b"".join(iter(lambda: _read(ours), b""))
        return process.wait(), shown.decode().replace("\r", "").splitlines()
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux: the other side was closed
        return b""
