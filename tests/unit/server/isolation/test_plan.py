"""Which applications are isolated, by which fork servers, and within which limits."""

from __future__ import annotations

from typing import Any

from app_server.apps import application_from_function
from app_server.processes.forking.keeper import SessionLimits
from app_server.server.isolation.plan import ForkServerPlan, idle_limits, limits_of, plan_fork_servers
from app_server.settings import Settings


def application(isolation: str | None = None) -> Any:
    """An application whose author wants its sessions kept apart in this way."""
    made = application_from_function(lambda document: None)
    made.isolation = isolation
    return made


def test_sessions_of_one_kind_share_a_fork_server_and_copies_have_one_each() -> None:
    applications = {
        "/plain": application("process"), "/copy": application("snapshot"), "/chosen": application(),
        "/together": application("none"), "/other": application("snapshot"),
    }  # fmt: skip
    assert plan_fork_servers(applications, Settings(isolation="process"), 4) == [
        ForkServerPlan(4, ("/plain", "/chosen"), copied=False),
        ForkServerPlan(5, ("/copy",), copied=True),
        ForkServerPlan(6, ("/other",), copied=True),
    ]
    assert plan_fork_servers({"/a": application()}, Settings(), 1) == []
    assert plan_fork_servers({"/a": application()}, Settings(isolation="snapshot"), 1) == [
        ForkServerPlan(1, ("/a",), copied=True)
    ]
    assert plan_fork_servers(applications, Settings(dev=True), 1) == [], "in development all are in one process"


def test_limit_that_ends_nothing_is_named() -> None:
    limits = Settings(session_memory_mb=500, session_cpu_s=9, callback_limit_s=3, hang_timeout_s=60)
    assert idle_limits(limits, 1, []) == [
        "--session-memory has no effect without --isolation",
        "--session-cpu has no effect without --isolation",
        "--callback-limit has no effect without --isolation",
        "--hang-timeout has no effect with one process; set --num-procs to 2 or more",
    ]
    assert idle_limits(limits, 1, [ForkServerPlan(1, ("/a",), copied=False)]) == []
    assert idle_limits(limits, 2, []) == idle_limits(limits, 1, [])[:3]
    assert idle_limits(Settings(), 1, []) == []


def test_limits_of_a_process_are_in_bytes_and_seconds() -> None:
    settings = Settings(session_memory_mb=2, session_cpu_s=9, callback_limit_s=3, block_limit_s=4)
    assert limits_of(settings) == SessionLimits(2 * 1024 * 1024, 9, 3, 4)
