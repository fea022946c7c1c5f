"""Servers that save their sessions, each of which may be killed and started again."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import APPS, SECRET, Served, serving
from tests.protocol.security.test_auth import COOKIE_SECRET, password_file, write
from tests.support.client import Client
from tests.support.ports import answers_at, free_port
from tests.support.servers.family import kill_family
from tests.support.waiting import until

KEPT = APPS / "kept.py"
MODES = [(), ("--num-procs", "2"), ("--isolation", "process"), ("--isolation", "snapshot")]


@dataclass
class Place:
    """A folder for sessions, and an address where servers run that save them there, one after another."""

    folder: Path
    port: int
    processes: ExitStack

    def start(self, *flags: str | Path, port: int | None = None, **environment: str) -> Served:
        """A server, from when it answers."""
        words = [KEPT, "--port", str(port or self.port), "--store", self.folder, *flags]
        return self.processes.enter_context(serving(*words, env={"BOKEH_SECRET_KEY": SECRET, **environment}))

    def wait_until_saved(self, text: str) -> None:
        """Return when a session that is saved here has this text."""
        until(lambda: self.has(text), f"{text!r} is saved")

    def has(self, text: str) -> bool:
        """Whether a session that is saved here has this text."""
        return any(text.encode() in path.read_bytes() for path in self.folder.glob("*.session"))

    @property
    def sessions(self) -> list[str]:
        """The names of the files of saved sessions."""
        return sorted(path.name for path in self.folder.glob("*.session"))


@pytest.fixture
def place(tmp_path: Path, processes: ExitStack) -> Place:
    """A folder that is empty, and an address where no one listens."""
    return Place(tmp_path / "saved", free_port(), processes)


def kill(served: Served) -> None:
    """End the server as a machine that fails would: with its workers, who would answer at its port for a moment."""
    kill_family(served.process.process.pid)
    served.process.process.wait()
    # A process is said to have ended a moment before its sockets are closed.
    until(lambda: not answers_at(served.process.port), "nothing listens at its port")


def work_on(client: Client, value: int, runs: int = 1) -> None:
    """Move the slider, and add a row that shows its value."""
    client.set("slider", "value", value)
    client.wait_value("note", "text", f"factor {value}")
    do(client, "add 1")
    assert seen(client) == {"slider": value, "rows": [0, value], "note": f"done add 1, 1 added, {runs} runs"}


def do(client: Client, words: str) -> None:
    """Have the application do this."""
    client.set("field", "value", words)
    client.wait_for(lambda: str(client.value("note", "text")).startswith(f"done {words}"))


def seen(client: Client) -> dict[str, Any]:
    """What a client that has just pulled the document finds in it."""
    client.pull()
    return {
        "slider": client.value("slider", "value"),
        "rows": list(client.value("rows", "data")["entries"][0][1]),
        "note": client.value("note", "text"),
    }


def go_on(client: Client, value: int, runs: int = 2) -> None:
    """See what was worked out before, by `work_on`, and that Python knows it too, after so many runs."""
    assert seen(client) == {"slider": value, "rows": [0, value], "note": "done add 1, 1 added, 1 runs"}
    do(client, "add 2")
    assert seen(client) == {"slider": value, "rows": [0, value, 2 * value], "note": f"done add 2, 2 added, {runs} runs"}


def guarded_by(folder: Path) -> list[str | Path]:
    """The flags of a server with two users, ann and bob, and with tokens of one second."""
    users = write(folder / "users", password_file(ann="ann's", bob="bob's"))
    return ["--basic-auth", users, "--cookie-secret", COOKIE_SECRET, "--session-token-expiration", "1"]


def expire(token: str) -> None:
    """Return when a token of a server with --session-token-expiration 1, made before, is too old."""
    begun_s = time.time()
    until(lambda: time.time() > begun_s + 2, "the token has expired")


def sessions_of(served: Served) -> int:
    """How many sessions the server has in its memory."""
    found = re.findall(r"^app_server_sessions\{[^}]*\} (\d+)", served.site.get("/metrics").text, re.MULTILINE)
    assert found
    return sum(map(int, found))
