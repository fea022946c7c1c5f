"""What the processes of a server with a console find in the runtime directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.maintenance import Maintenance
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


def maintenance_of(settings: Settings, runtime_dir: RuntimeDir | None) -> Maintenance | None:
    """The maintenance of the server that has this directory; None without a console, which begins and ends it."""
    return Maintenance(runtime_dir.folder / "maintenance") if settings.console and runtime_dir is not None else None
