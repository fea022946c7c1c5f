"""A server under test: started as a subprocess, waited for, read, and stopped by its process id."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from tests.support.measuring import unmeasured
from tests.support.ports import free_port
from tests.support.servers import warm as forks
from tests.support.waiting import POLL_INTERVAL_S, patience

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"

START_DEADLINE_S = 90.0
STOP_DEADLINE_S = 10.0
COMMAND_DEADLINE_S = 20.0

ANSWER_DEADLINE_S = 5.0

Process = subprocess.Popen[bytes] | forks.Forked

_COMMANDS = {
    "ours": ("-m", "app_server"),
    "asgi": ("-m", "bench.at_uvicorn"),
    "stock": ("-m", "bokeh"),
    "panel": ("-m", "panel"),
}
_OWN = ("ours", "asgi")


def server_under_test() -> str:
    """Return `ours`, `asgi` or `stock`, as the environment variable APP_SERVER_TEST_SERVER says (default: ours)."""
    name = os.environ.get("APP_SERVER_TEST_SERVER", "ours")
    if name not in ("ours", "asgi", "stock"):
        raise ValueError(f"APP_SERVER_TEST_SERVER is {name!r}; it may be ours, asgi or stock")
    return name


@dataclass(frozen=True)
class RunningServer:
    """A process that has answered its first request."""

    url: str
    port: int
    process: Process
    log_path: Path

    def log_text(self) -> str:
        """Return all that the process has written to stdout and stderr so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str, timeout_s: float = 10.0) -> None:
        """Return when `text` is in the log; raise AssertionError after `timeout_s`, longer on a busy machine."""
        begin = time.monotonic()
        while text not in self.log_text():
            if time.monotonic() > begin + patience(timeout_s):
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
    cold: bool = False,
    measured: bool = True,
) -> Iterator[RunningServer]:
    """Serve `args` (applications and flags) on a free loopback port and yield the server once it answers.

    `env` is added to the environment of the test run. `server` is `ours`, `asgi`, which is ours at uvicorn, `stock` or
    `panel`, which is the stock server for Panel's applications, and defaults to `server_under_test()`. `--port` and
    `--address` are chosen here unless `args` hold them. Ours is a fork of a process that has imported all that it
    imports, unless `cold`: tests of the process itself, such as its memory or its start, need one that was started as
    users start it. Coverage leaves it alone unless `measured`: tests of what a server uses need that.
    """
    words = [str(arg) for arg in args]
    port = int(words[words.index("--port") + 1]) if "--port" in words else free_port()
    more = [] if "--port" in words else ["--port", str(port)]
    if "--address" not in words:
        more += ["--address", "127.0.0.1"]
    kind = server or server_under_test()
    start = _start_cold if cold or kind not in _OWN else _start_warm
    command = [sys.executable, *_COMMANDS[kind], "serve", *words, *more]
    scheme = "https" if "--ssl-certfile" in words or "BOKEH_SSL_CERTFILE" in (env or {}) else "http"
    # The name, not the address: the stock server allows the origin localhost:PORT by default.
    environ = os.environ if measured and kind in _OWN else unmeasured(os.environ)
    with _running(start, command, f"{scheme}://localhost:{port}", cwd, _environment(env, environ)) as started:
        yield started
        if kind not in _OWN:
            started.process.kill()  # the stock server takes seconds to look for what its sessions have left


@contextmanager
def running_process(
    command: list[str],
    url: str,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    warm: bool = False,
) -> Iterator[RunningServer]:
    """Start `command`, yield once `url` answers (with whatever status), and stop the process at the end.

    With `warm`, `command` is `[sys.executable, "-m", MODULE, ...]`, and becomes a fork as in `running_server`.
    """
    start = _start_warm if warm else _start_cold
    with _running(start, command, url, cwd, _environment(env)) as started:
        yield started


def start_server(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Process:
    """`app-server serve WORDS` as in `running_server`, but nobody waits for it, reads its output or ends it."""
    command = [sys.executable, *_COMMANDS["ours"], "serve", *map(str, words)]
    with Path(os.devnull).open("wb") as nowhere:
        return _start_warm(command, cwd, _environment(env), nowhere)


def run_command(
    *words: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    module: str = "app_server",
    timeout_s: float = COMMAND_DEADLINE_S,
) -> subprocess.CompletedProcess[str]:
    """What `python -m MODULE WORDS` wrote and its status, at its end; AssertionError if that does not come in time.

    It is a fork, and `env` is added to the environment, as in `running_server`.
    """
    command, environment = [sys.executable, "-m", module, *map(str, words)], _environment(env)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = forks.fork(command, cwd, environment, output, errors) or subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )

        def written(file: IO[bytes]) -> str:
            file.seek(0)
            return file.read().decode("utf-8")

        try:
            status = process.wait(patience(timeout_s))
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{late}: it has said {written(output)!r} and {written(errors)!r}") from late
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, status, written(output), written(errors))


def _environment(env: Mapping[str, str] | None, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """That of what is started: this repository's modules are found, and output is written at once."""
    whole = {"PYTHONUNBUFFERED": "1", **base, **(env or {})}
    whole["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY), whole.get("PYTHONPATH")]))
    return whole


Start = Callable[[list[str], Path | None, Mapping[str, str], IO[bytes]], Process]


@contextmanager
def _running(
    start: Start, command: list[str], url: str, cwd: Path | None, environment: Mapping[str, str]
) -> Iterator[RunningServer]:
    with tempfile.TemporaryDirectory(prefix="server-log-") as folder:
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            process = start(command, cwd, environment, log)
        started = RunningServer(url, int(url.rsplit(":", 1)[1]), process, log_path)
        try:
            _wait_until_it_answers(started)
            yield started
        finally:
            stop(process)


def _start_cold(command: list[str], cwd: Path | None, environment: Mapping[str, str], log: IO[bytes]) -> Process:
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )


def _start_warm(command: list[str], cwd: Path | None, environment: Mapping[str, str], log: IO[bytes]) -> Process:
    return forks.fork(command, cwd, environment, log) or _start_cold(command, cwd, environment, log)


def stop(process: Process, deadline_s: float = STOP_DEADLINE_S) -> int:
    """Send SIGTERM, wait, kill at the deadline, later on a busy machine; return the exit code."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience(deadline_s))
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
    # /healthz opens no session; whatever is answered where it is unknown is an answer too.
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = (
        http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=patience(ANSWER_DEADLINE_S), context=ssl._create_unverified_context()
        )
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.hostname, parts.port, timeout=patience(ANSWER_DEADLINE_S))
    )
    try:
        connection.request("GET", f"{parts.path}/healthz")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        # The latter where a port that no one listens on yet was connected to itself, which TCP allows.
        return False
    finally:
        connection.close()
    return True
