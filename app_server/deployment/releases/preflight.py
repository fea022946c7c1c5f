"""A trial of a release on the host that is to run it: every pool's command is started for once, and asked for pages.

Nothing of what serves is touched: the trial listens on Unix sockets in a folder of its own and ends with the answer.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_server import programs
from app_server.deployment.reason import plain, reason_in
from app_server.errors import OperatorError

START_DEADLINE_S = 60.0
_POLL_S = 0.1
_STOP_S = 10.0
_TELLING_LINES = 12
_LISTENING = {"--address", "--port", "--unix-socket", "--route"}
# A trial must not touch what the running instances save.
_LEFT_OUT = {*_LISTENING, "--store"}
_STORE = "APP_SERVER_STORE"
# A file beside the applications says nothing about a deployment.
_CONFIG = "APP_SERVER_USE_CONFIG"


@dataclass(frozen=True, slots=True)
class Trial:
    """One command that is to be tried, in the folder of the release's applications."""

    name: str
    command: tuple[str, ...]
    folder: Path


def trials(instances: Mapping[str, Sequence[str]], release: Path, program: str) -> Iterator[Trial]:
    """One trial for each different command; what instances have for themselves makes no difference.

    `instances` maps their names to their commands, as the manifest of generated files does.
    """
    seen: set[tuple[str, ...]] = set()
    for name, words in instances.items():
        command = (program, *_without_own(words[1:]))
        if command not in seen:
            seen.add(command)
            yield Trial(name, command, release / "apps")


def _without_own(words: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in words:
        if word not in _LEFT_OUT and before not in _LEFT_OUT:
            yield word
        before = word


def attempt(trial: Trial, environ: Mapping[str, str]) -> None:
    """Start the command and open the page of each application. OperatorError with the end of its log if it fails."""
    with tempfile.TemporaryDirectory(prefix="app-server-trial-") as folder:
        path, log_path = f"{folder}/socket", Path(folder) / "log"
        environment = {**environ, "APP_SERVER_RUNTIME_DIR": f"{folder}/run", "NOTIFY_SOCKET": ""}
        words = _with_socket(trial.command, path)
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                words, cwd=trial.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            _try_pages(trial, process, path, log_path)
        finally:
            programs.end(process, _STOP_S, signal.SIGINT)


def _with_socket(command: Sequence[str], path: str) -> list[str]:
    """The command with its own address, before the applications' arguments."""
    place = command.index("--args") if "--args" in command else len(command)
    return [*command[:place], "--unix-socket", path, *command[place:]]


def _try_pages(trial: Trial, process: subprocess.Popen[bytes], path: str, log_path: Path) -> None:
    prefix = next((trial.command[i + 1] for i, word in enumerate(trial.command) if word == "--prefix"), "").strip("/")
    root = f"/{prefix}/" if prefix else "/"
    deadline_s = time.monotonic() + START_DEADLINE_S
    while (found := _ask(path, "/readyz")) is None or found[0] != 200:
        if process.poll() is not None:
            raise _failed(trial, f"the server ended with {process.returncode}", log_path)
        if time.monotonic() > deadline_s:
            raise _failed(trial, f"the server was not ready after {START_DEADLINE_S:g} s", log_path)
        time.sleep(_POLL_S)
    for page in _pages(path, root):
        answer = _ask(path, page)
        if answer is None or answer[0] not in (200, 302, 401, 403):
            raise _failed(trial, f"{page} was answered with {'nothing' if answer is None else answer[0]}", log_path)


def _pages(path: str, root: str) -> Iterator[str]:
    """The applications' pages: where the index leads to, or what it lists."""
    found = _ask(path, root)
    if found is None:
        return
    status, location, body = found
    if status in (301, 302) and location:
        yield location
        return
    for link in dict.fromkeys(re.findall(r'href="([^"]+)"', body)):
        if link.startswith(root) and "/static/" not in link and not link.endswith((".ico", ".css", ".js")):
            yield link


def _ask(path: str, target: str) -> tuple[int, str, str] | None:
    """The status, Location and body of an answer; None if there is no answer."""
    connection = http.client.HTTPConnection("localhost", timeout=START_DEADLINE_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(START_DEADLINE_S)
    try:
        connection.sock.connect(path)
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.getheader("Location", ""), response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _failed(trial: Trial, what: str, log_path: Path) -> OperatorError:
    text = plain(log_path.read_text(encoding="utf-8", errors="replace"))
    reason = reason_in(text)
    said = " | ".join([line for line in text.splitlines() if line.strip()][-_TELLING_LINES:])
    hint = f"It said: {said}" if said else "It printed nothing."
    what = f"the preflight failed: {what}" + (f": {reason}" if reason else "")
    return OperatorError(what, where=f"instance {trial.name}", hint=hint)


def environment_with_keys(names: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, with the deployment's own variables, and for its secrets with keys of the trial's.

    Those keys give nothing away, and what only the service may read need not be read. Sessions are not saved.
    """
    keys = {name: secrets.token_urlsafe(48) for name in names}
    return {**keys, **os.environ, **variables, _STORE: "off", _CONFIG: "none"}
