"""Which applications are isolated, and which process forks the processes of their sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app_server.apps import Application
from app_server.settings import Settings

if TYPE_CHECKING:
    from app_server.processes.forking.keeper import SessionLimits


@dataclass(frozen=True)
class ForkServerPlan:
    """One process that sessions' processes are forked from: its slot and the routes of its applications.

    `copied` says that its only application is to start there, once for all.
    """

    slot: int
    routes: tuple[str, ...]
    copied: bool


def plan_fork_servers(
    applications: Mapping[str, Application], settings: Settings, first_slot: int
) -> list[ForkServerPlan]:
    """The fork servers, each with its applications; none if no application is isolated."""
    if settings.dev:
        return []
    chosen = {route: application.isolation or settings.isolation for route, application in applications.items()}
    plain = tuple(route for route, how in chosen.items() if how == "process")
    copied = [((route,), True) for route, how in chosen.items() if how == "snapshot"]
    groups = [*([(plain, False)] if plain else []), *copied]
    return [ForkServerPlan(first_slot + number, *group) for number, group in enumerate(groups)]


def idle_limits(settings: Settings, processes: int, fork_servers: Collection[ForkServerPlan]) -> list[str]:
    """A sentence for each limit that was set and ends nothing, as there is no process that it could end."""
    limits = {
        "--session-memory": settings.session_memory_mb,
        "--session-cpu": settings.session_cpu_s,
        "--callback-limit": settings.callback_limit_s,
    }
    found = (
        [] if fork_servers else [f"{flag} has no effect without --isolation" for flag, limit in limits.items() if limit]
    )
    if settings.hang_timeout_s and processes == 1 and not fork_servers:
        found.append("--hang-timeout has no effect with one process; set --num-procs to 2 or more")
    return found


def limits_of(settings: Settings) -> SessionLimits:
    """What the settings allow one session's process."""
    from app_server.processes.forking.keeper import SessionLimits  # Windows has not all that it needs

    memory_bytes = settings.session_memory_mb * 1024 * 1024
    return SessionLimits(memory_bytes, settings.session_cpu_s, settings.callback_limit_s, settings.block_limit_s)
