"""The servers under test: starting them, measuring what they use, and stopping them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import HOST, get

BENCH = Path(__file__).parent
APPS = BENCH / "apps"
STOCK, OURS, ASGI, CANNED = "stock", "ours", "asgi", "canned"
MODULES = {STOCK: "bokeh", OURS: "app_server", ASGI: "bench.at_uvicorn"}
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
LOG_TAIL = 1500
FOREVER_MS = 3_600_000


@dataclass(frozen=True)
class Launch:
    """What a scenario needs from a server: one application, and how soon a session without a connection ends.

    `flags` are for both servers, `ours` only for this one. A server of several processes gets `all_cores`, one of
    which it shares with the load generator.
    """

    app: str
    unused_session_lifetime_ms: int = FOREVER_MS
    check_unused_sessions_ms: int = FOREVER_MS // 2
    flags: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    all_cores: bool = False


def command(kind: str, launch: Launch, port: int, recordings: Path) -> list[str]:
    """The command line of one server; those that are compared get the same flags."""
    if kind == CANNED:
        return [sys.executable, "-m", "bench.canned", str(recordings / f"{launch.app}.json"), str(port)]
    return [
        *(sys.executable, "-m", MODULES[kind], "serve", str(APPS / f"{launch.app}.py")),
        *("--port", str(port), "--address", HOST, "--log-level", "warning"),
        *("--unused-session-lifetime", str(launch.unused_session_lifetime_ms)),
        *("--check-unused-sessions", str(launch.check_unused_sessions_ms)),
        *launch.flags,
        *(launch.ours if kind == OURS else ()),
    ]


@dataclass(frozen=True)
class Served:
    """A server that is running."""

    kind: str
    app: str
    port: int
    pid: int

    @property
    def path(self) -> str:
        """The address of its application's page."""
        return f"/{self.app}"

    def cpu_s(self) -> float:
        """Seconds of processor time, user and system, that all its threads have used so far."""
        return time.clock_gettime(cpu_clock(self.pid))

    def memory_bytes(self) -> int:
        """Its anonymous memory, which does not depend on what else maps the same libraries."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def cpu_clock(pid: int) -> int:
    """The clock of another process's processor time, in nanoseconds where /proc counts in ticks of 10 ms."""
    return (~pid << 3) | 2  # what clock_getcpuclockid(3) answers on Linux


def pin_client() -> None:
    """Keep this process on the first core, so the server has another for itself."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def pin_server(pid: int, *, all_cores: bool) -> None:
    """Keep the server, and what it will start, on the last core, or let it have all of them."""
    cores = os.cpu_count() or 1
    os.sched_setaffinity(pid, set(range(cores)) if all_cores else {cores - 1})


def free_port() -> int:
    """A free port on localhost."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(kind: str, launch: Launch, recordings: Path) -> Iterator[Served]:
    """A server of this kind on a port of its own, answering; it is stopped by its pid at the end.

    An exception that is raised meanwhile gets the end of the server's log as a note.
    """
    port = free_port()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command(kind, launch, port, recordings), cwd=BENCH.parent, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            pin_server(process.pid, all_cores=launch.all_cores)
            if not wait_until_ready(process, port):
                raise RuntimeError("the server did not start")
            yield Served(kind, launch.app, port, process.pid)
        except Exception as fault:
            log.seek(0)
            fault.add_note(log.read().decode(errors="replace")[-LOG_TAIL:].strip())
            raise
        finally:
            stop(process)


def wait_until_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether the server answers an HTTP request in time; the request creates no session."""
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline_s:
        try:
            asyncio.run(get(port, "/static/no-such-file"))
            return True
        except (OSError, ValueError, IndexError):
            time.sleep(0.05)
    return False


def family(pid: int) -> list[int]:
    """This process and all that it has started, directly or not."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [pid, *(found for child in children for found in family(int(child)))]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server with SIGTERM, or kill it; the stock server leaves its workers behind."""
    workers = {pid: started(pid) for pid in family(process.pid)[1:]}
    try:
        _stop(process)
    finally:
        for pid, when in workers.items():
            if when is not None and started(pid) == when:
                os.kill(pid, signal.SIGKILL)


def started(pid: int) -> str | None:
    """When this process was started (proc_pid_stat(5)), which tells it from a later one of its number."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
