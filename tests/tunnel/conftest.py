"""A laptop, a gateway and the host of a server, each with a real sshd, and the server with an application."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import PATIENCE_S, Client, Site
from tests.support.hosts.namespaces import Host, hosts, why_not
from tests.support.missing import missing
from tests.support.server import REPOSITORY, stop
from tests.support.waiting import patience, until

BOARD = REPOSITORY / "tests" / "protocol" / "apps" / "board.py"
PORT = 5006
# Long beside what a test takes: a session has to outlive its connection.
LIFETIME_MS = 60_000
POLL_INTERVAL_S = 0.01


@dataclass(frozen=True)
class Net:
    """The three hosts. `remote` serves the application `/board` on port 5006 of its loopback."""

    laptop: Host
    gateway: Host
    remote: Host


@dataclass(frozen=True)
class Running:
    """A command that runs on a host, and what it has written."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> list[str]:
        """The lines so far."""
        return self.log.read_text(errors="replace").splitlines()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Return when so many lines hold this text."""
        deadline = time.monotonic() + patience(PATIENCE_S)
        while sum(text in line for line in self.said()) < times:
            assert time.monotonic() < deadline and self.process.poll() is None, "\n".join(self.said())
            time.sleep(POLL_INTERVAL_S)


@pytest.fixture(scope="package")
def net() -> Iterator[Net]:
    """The hosts, each of whose users may go to the two others, and the running server."""
    if (reason := why_not()) is not None:
        missing(reason)
    with hosts("laptop", "gateway", "remote") as made, ExitStack() as stack:
        laptop, gateway, remote = made
        for host in (gateway, remote):
            for guest in made:
                host.authorize(guest.public_key)
        stack.enter_context(serving(remote))
        yield Net(laptop, gateway, remote)


@contextmanager
def serving(host: Host, *flags: str) -> Iterator[Running]:
    """The server on the loopback of a host, until the end."""
    words = ("serve", str(BOARD), "--address", "localhost", f"--unused-session-lifetime={LIFETIME_MS}")
    with started(host, sys.executable, "-m", "app_server", *words, *flags) as running:
        host.wait_for_port(PORT, timeout_s=30)
        yield running


@contextmanager
def started(host: Host, *command: str | Path) -> Iterator[Running]:
    """A command of root on a host, stopped by its process id at the end."""
    log = host.folder / f"log-{time.monotonic_ns()}"
    with log.open("wb") as file:
        process = host.start(*command, user="root", cwd=REPOSITORY, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield Running(process, log)
    finally:
        stop(process)


@contextmanager
def tunnel(host: Host, *words: str, runs: bool = True) -> Iterator[Running]:
    """`app-server tunnel` on a host, once the tunnel is open."""
    if host.name == "laptop":  # where no server of ours listens
        until(lambda: not host.listens(PORT), "the ssh of the tunnel before has ended, too")
    with started(host, sys.executable, "-m", "app_server", "tunnel", *words, "--run") as running:
        running.wait_for("open: ")
        yield running


@contextmanager
def session(host: Host, port: int = PORT, token: str | None = None) -> Iterator[tuple[Client, str]]:
    """A session that someone on this host has in use, and its token."""
    site = Site(f"http://localhost:{port}")
    with host.entered():
        token = token or site.token("/board")
    with ExitStack() as stack:
        with host.entered():
            client = stack.enter_context(site.client("/board", token))
        yield client, token
