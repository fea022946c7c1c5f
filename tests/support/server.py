"""A server under test: started as a subprocess, waited for, read, and stopped by its process id."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"

START_DEADLINE_S = 90.0
STOP_DEADLINE_S = 10.0
POLL_INTERVAL_S = 0.02

_COMMANDS = {"ours": ("-m", "app_server"), "stock": ("-m", "bokeh"), "panel": ("-m", "panel")}


def server_under_test() -> str:
    """Return `ours` or `stock`, as the environment variable APP_SERVER_TEST_SERVER says (default: ours)."""
    name = os.environ.get("APP_SERVER_TEST_SERVER", "ours")
    if name not in ("ours", "stock"):
        raise ValueError(f"APP_SERVER_TEST_SERVER is {name!r}; it may be ours or stock")
    return name


@dataclass(frozen=True)
class RunningServer:
    """A process that has answered its first request."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    log_path: Path

    def log_text(self) -> str:
        """Return all that the process has written to stdout and stderr so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str, timeout_s: float = 10.0) -> None:
        """Return when `text` stands in the log; raise AssertionError after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while text not in self.log_text():
            if time.monotonic() > deadline:
                raise AssertionError(f"{text!r} is not in the log after {timeout_s} s:\n{self.log_text()}")
            time.sleep(POLL_INTERVAL_S)

    def stop(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Send SIGTERM, wait, kill at the deadline; return the exit code. A process that has ended stays ended."""
        return stop(self.process, deadline_s)


@contextmanager
def running_server(
    *args: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    server: str | None = None,
) -> Iterator[RunningServer]:
    """Serve `args` (applications and flags) on a free loopback port and yield the server once it answers.

    `env` is added to the environment of the test run. `server` is `ours`, `stock` or `panel`, which is the stock server
    for Panel's applications, and defaults to `server_under_test()`. `--port` and `--address` are chosen here unless
    `args` hold them.
    """
    words = [str(arg) for arg in args]
    port = int(words[words.index("--port") + 1]) if "--port" in words else free_port()
    command = [sys.executable, *_COMMANDS[server or server_under_test()], "serve", *words]
    if "--port" not in words:
        command += ["--port", str(port)]
    if "--address" not in words:
        command += ["--address", "127.0.0.1"]
    scheme = "https" if "--ssl-certfile" in words or "BOKEH_SSL_CERTFILE" in (env or {}) else "http"
    # The name, not the address: the stock server allows the origin localhost:PORT by default.
    with running_process(command, f"{scheme}://localhost:{port}", cwd=cwd, env=env) as started:
        yield started


@contextmanager
def running_process(
    command: list[str],
    url: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[RunningServer]:
    """Start `command`, yield once `url` answers (with whatever status), and stop the process at the end."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), environment.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="server-log-") as folder:
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        started = RunningServer(url, int(url.rsplit(":", 1)[1]), process, log_path)
        try:
            _wait_until_it_answers(started)
            yield started
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], deadline_s: float = STOP_DEADLINE_S) -> int:
    """Send SIGTERM, wait, kill at the deadline; return the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def _wait_until_it_answers(started: RunningServer) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while not _answers(started.url):
        if started.process.poll() is not None:
            raise AssertionError(f"the server ended with {started.process.returncode}:\n{started.log_text()}")
        if time.monotonic() > deadline:
            raise AssertionError(f"no answer at {started.url} after {START_DEADLINE_S} s:\n{started.log_text()}")
        time.sleep(POLL_INTERVAL_S)


def _answers(url: str) -> bool:
    unverified = ssl._create_unverified_context() if url.startswith("https") else None
    # The environment's HTTP proxy, if any, must not see loopback traffic. /healthz opens no session; where it is
    # unknown, a 404 is an answer too.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unverified)
    )
    try:
        opener.open(f"{url}/healthz", timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
    except (OSError, http.client.HTTPException):
        # The latter where a port that nobody listens on yet was connected to itself, which TCP allows.
        return False
    return True
