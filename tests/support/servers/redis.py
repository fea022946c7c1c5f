"""A real Redis of its own: on a Unix socket with a short path, and on a loopback port.

with redis_folder() as folder, running_redis(folder) as redis:
    store = open_store(redis.location, ttl_s=100, max_bytes=1000)
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import until


def redis_program() -> str:
    """The path of redis-server or valkey-server. Raises AssertionError without one; `make test` installs it."""
    found = os.environ.get("APP_SERVER_TEST_REDIS") or shutil.which("redis-server") or shutil.which("valkey-server")
    assert found is not None, "Redis is not installed: `make test` does that for root on Debian"
    return found


@dataclass(frozen=True)
class RunningRedis:
    """A server that takes connections; it keeps nothing on a disk."""

    socket: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def location(self) -> str:
        """What `--store` names."""
        return f"unix://{self.socket}"

    @property
    def by_port(self) -> str:
        """The same, through TCP."""
        return f"redis://127.0.0.1:{self.port}/0"

    def say(self, *words: str) -> str:
        """What it answers to a command."""
        server = Path(redis_program())
        client = server.with_name(server.name.replace("-server", "-cli"))
        return subprocess.run(
            [client, "-s", self.socket, *words], capture_output=True, text=True, check=True
        ).stdout.strip()


@contextmanager
def redis_folder() -> Iterator[Path]:
    """A folder for the socket, whose path is short."""
    with tempfile.TemporaryDirectory(prefix="r-") as folder:
        yield Path(folder)


@contextmanager
def running_redis(folder: Path, *flags: str, port: int | None = None) -> Iterator[RunningRedis]:
    """A server until the end of the block, or until it is killed; another one may use its folder and port then."""
    port = port or free_port()
    place = folder / "redis.sock"
    place.unlink(missing_ok=True)
    words: Sequence[str] = [
        *(redis_program(), "--port", str(port), "--bind", "127.0.0.1", "--unixsocket", str(place)),
        *("--save", "", "--dir", str(folder), "--logfile", str(folder / "redis.log"), *flags),
    ]
    with subprocess.Popen(words) as process:
        try:
            until(lambda: _answers(place), "Redis answers", 20)
            yield RunningRedis(place, port, process)
        finally:
            process.kill()


def _answers(path: Path) -> bool:
    """Whether Redis takes connections: its socket is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(7) == b"+PONG\r\n"
    return False
