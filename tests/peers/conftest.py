"""The two servers of this folder: the stock one and ours, each one process with every application."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.server import EXAMPLES, RunningServer, running_server

APPS = Path(__file__).parent / "apps"
FLAGS = ("--unused-session-lifetime", "3600000", "--check-unused-sessions", "50")
"""Sessions end when they ask for it only: the stock server shows no page any more when one with a DataModel ended."""


@dataclass(frozen=True)
class Peers:
    """Where both servers answer."""

    stock: Site
    ours: Site
    servers: tuple[RunningServer, RunningServer]

    def both(self) -> tuple[Site, Site]:
        """The two, the stock one first."""
        return self.stock, self.ours


def applications() -> list[Path]:
    """All that is served, in order: small applications that each do one thing, and the examples."""
    shared = [APPS / "sharing" / name for name in ("first", "second")]
    small = [path for path in APPS.iterdir() if path.name != "sharing" and not path.name.startswith("_")]
    return sorted([*small, *shared]) + examples()


def examples() -> list[Path]:
    """The examples that are applications which both servers can serve."""
    own = ("annealing.py", "daylight", "explorer.py", "fractal.py", "streaming.py", "notebook/live.ipynb", "embedding")
    names = ("minimal_dir", "myapp.py", "myapp_dir", "request_arguments.py", "session_cleanup.py", "sliders.py")
    more = ("template_variables", "threads.py", "unlocked.py", "lifecycle")
    return [EXAMPLES / name for name in own] + [EXAMPLES / "seed" / name for name in names + more]


# For the package rather than the session: sessions with periodic callbacks go on until their server ends.
@pytest.fixture(scope="package")
def peers() -> Iterator[Peers]:
    """Both servers, started at the same time."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        sets_in_order = {"PYTHONHASHSEED": "0"}
        starts = [running_server(*applications(), *FLAGS, server=name, env=sets_in_order) for name in ("stock", "ours")]
        servers = list(pool.map(stack.enter_context, starts))
        yield Peers(Site(servers[0].url), Site(servers[1].url), (servers[0], servers[1]))
