"""Servers that the tests of this folder share: each is one process for the whole run."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.server import RunningServer, running_server

APPS = Path(__file__).parent / "apps"
TRANSPORT = "APP_SERVER_TEST_TRANSPORT"
"""The variable that says by what the servers of these tests are reached: "ours", by default, or "asgi"."""

SECRET = "a secret for the tests of forty-four letters"


@dataclass(frozen=True)
class Served:
    """A running server: its site for clients, its process and log for assertions."""

    site: Site
    process: RunningServer

    def log_since(self, start: int) -> str:
        """What was logged behind this position, which `log_size` gave."""
        return self.process.log_text()[start:]

    def tracebacks_since(self, start: int) -> list[str]:
        """The records with a traceback, without those of sessions of other tests: `hooked` fails late, at their end."""
        records = re.split(r"^(?=\d{4}-\d\d-\d\d )", self.log_since(start), flags=re.MULTILINE)
        return [record for record in records if "Traceback" in record and "ValueError: the end fails" not in record]

    def log_size(self) -> int:
        """How much was logged so far."""
        return len(self.process.log_text())

    def interrupt(self) -> None:
        """Have it stop without waiting for its sessions, as Ctrl-C does."""
        self.process.process.send_signal(signal.SIGINT)

    def assert_alive(self) -> None:
        """Fail where the process has ended."""
        assert self.process.process.poll() is None, self.process.log_text()


def apps(*names: str) -> list[Path]:
    """The paths of these applications of ours."""
    return [APPS / name for name in names]


@contextmanager
def serving(*args: str | Path, prefix: str = "", **options: object) -> Iterator[Served]:
    """Serve these applications and flags; by uvicorn if the environment says that the transport is "asgi"."""
    with running_server(*args, server=os.environ.get(TRANSPORT, "ours"), **options) as running:  # type: ignore[arg-type]
        yield Served(Site(running.url + prefix), running)


@pytest.fixture(scope="session")
def plain() -> Iterator[Served]:
    """All applications, with the settings as they come."""
    names = ("board.py", "faulty.py", "asking.py", "beats.py", "threads.py", "hooked", "folder")
    with serving(*apps(*names)) as served:
        yield served


@pytest.fixture(scope="session")
def brief() -> Iterator[Served]:
    """A server of little patience: sessions, clients that do not answer and large messages end soon.

    Its tokens carry their request, so an ended session can be rebuilt as it was.
    """
    flags = "--unused-session-lifetime 1000 --check-unused-sessions 50 --keep-alive 300 --session-token-expiration 2"
    flags += " --websocket-max-message-size 100000 --websocket-compression-level 6 --token-payload always"
    with serving(*apps("board.py", "asking.py", "beats.py", "hooked", "grasping"), *flags.split()) as served:
        yield served


@pytest.fixture(scope="session")
def guarded() -> Iterator[Served]:
    """Signed sessions that others make, behind a prefix, on a route, with filters, for pages of example.com."""
    with guarding() as served:
        yield served


@contextmanager
def guarding() -> Iterator[Served]:
    """Serve what `guarded` says."""
    flags = "--session-ids external-signed --session-token-expiration 2 --prefix /some/where --route west-1"
    flags += " --allow-websocket-origin example.com --allow-websocket-origin *.example.org:8443 --enable-xsrf-cookies"
    flags += " --cookie-secret nobody-knows --exclude-headers X-Hidden Accept-Encoding --include-cookies shown"
    environment = {"BOKEH_SECRET_KEY": SECRET}
    with serving(
        *apps("board.py", "asking.py", "hooked"), *flags.split(), prefix="/some/where", env=environment
    ) as served:
        yield served


@pytest.fixture(scope="session")
def developing() -> Iterator[Served]:
    """A server in development."""
    with serving(*apps("board.py", "faulty.py"), "--dev") as served:
        yield served
