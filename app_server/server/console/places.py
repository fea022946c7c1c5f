"""What the processes of a server with a console find in the runtime directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from app_server.observe.recent import RecentStalls
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.maintenance import Maintenance
from app_server.server.membership import Membership
from app_server.settings import Settings


def socket_path(runtime_dir: RuntimeDir) -> Path:
    """Where the workers hand over connections for a console at a path of the site."""
    return runtime_dir.folder / "console"


def parent_log_path(runtime_dir: RuntimeDir, name: str) -> Path:
    """Where the main process, or a fork server, writes its lines of the log."""
    return runtime_dir.folder / f"{name}.log"


def parent_logs(runtime_dir: RuntimeDir) -> Iterator[tuple[str, Path]]:
    """The logs of the main process and of fork servers, by the names of these processes."""
    for path in sorted(runtime_dir.folder.glob("*.log")):
        yield path.stem, path


def stall_path(runtime_dir: RuntimeDir, process: str) -> Path:
    """Where a process, named as its socket is, writes what blocks its loop as long as it does."""
    return runtime_dir.folder / f"stall-{process}"


def stalls_of(settings: Settings, membership: Membership | None) -> RecentStalls:
    """The stalls of this process; with a console, it is known from outside what blocks it."""
    if not settings.console or membership is None:
        return RecentStalls()
    runtime_dir = membership.runtime_dir
    return RecentStalls(stall_path(runtime_dir, runtime_dir.socket_path(membership.slot, os.getpid()).name))


def maintenance_of(settings: Settings, runtime_dir: RuntimeDir | None) -> Maintenance | None:
    """The maintenance of the server that has this directory; None without a console, which begins and ends it."""
    return Maintenance(runtime_dir.folder / "maintenance") if settings.console and runtime_dir is not None else None
