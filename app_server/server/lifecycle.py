"""`app-server serve`: the applications of some paths, served by this process or by several until a signal."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence

from app_server import system
from app_server.apps import Application
from app_server.auth.shared_failures import failures_of_this_run
from app_server.auth.shared_tokens import tokens_of_this_run
from app_server.document import engine
from app_server.engine import containment
from app_server.http.accepting import raise_descriptor_limit
from app_server.observe.otel.setup import check_otel
from app_server.processes.runtime_dir import RuntimeDir
from app_server.requests.state.policy import key_of_this_run
from app_server.server.applications import load_applications, prepare
from app_server.server.isolation.plan import idle_limits, plan_fork_servers
from app_server.server.membership import Membership
from app_server.server.process_life import serve
from app_server.server.saving import check_store
from app_server.server.server import Server
from app_server.server.systemd import Notifier
from app_server.settings import Settings

log = logging.getLogger(__name__)


def serve_until_stopped(settings: Settings, paths: Sequence[str]) -> int:
    """Serve these applications until a signal; the process's exit status."""
    engine.install()
    key_of_this_run()
    count = _processes(settings)
    if settings.basic_auth:
        failures_of_this_run()
    if settings.access_tokens:
        tokens_of_this_run()
    raise_descriptor_limit()
    notifier = Notifier(os.environ)
    check_otel(settings, os.environ)
    check_store(settings)
    applications = load_applications(paths, settings)
    _refuse_isolation(applications, settings)
    if not system.can_fork():
        return containment.run(_serve_alone(applications, settings, None, notifier))
    runtime_dir = RuntimeDir.make(os.environ)
    try:
        fork_servers = plan_fork_servers(applications, settings, count)
        for sentence in idle_limits(settings, count, fork_servers):
            log.warning("%s", sentence)
        if count == 1 and not fork_servers and not settings.console:
            return containment.run(_serve_alone(applications, settings, runtime_dir, notifier))
        from app_server.server.main_process import MainProcess  # much of it could not be imported without fork

        return MainProcess(settings, paths, applications, runtime_dir, count, fork_servers).run(notifier)
    finally:
        runtime_dir.remove()


async def _serve_alone(
    applications: Mapping[str, Application], settings: Settings, runtime_dir: RuntimeDir | None, notifier: Notifier
) -> int:
    prepare(settings, applications)
    loop = asyncio.get_running_loop()
    membership = None if runtime_dir is None else Membership(runtime_dir, 0, 1)
    server = Server.bound(applications, settings, loop, membership=membership)
    return await serve(server, notifier=notifier)


def _processes(settings: Settings) -> int:
    """How many processes take connections. OperatorError if a setting needs more than this system can have."""
    count = settings.num_procs or (os.cpu_count() or 1 if system.can_fork() else 1)
    if count > 1:
        system.require_processes("--num-procs", "Leave it out: one process serves all sessions.")
    if settings.console:
        system.require_processes("--console", "Leave it out; --metrics and --stats-log-frequency show figures.")
    return count


def _refuse_isolation(applications: Mapping[str, Application], settings: Settings) -> None:
    """Raise OperatorError if an application's sessions are to have processes of their own."""
    chosen = {application.isolation or settings.isolation for application in applications.values()} - {"none"}
    if chosen and not settings.dev:
        where = f"--isolation {min(chosen)}"
        hint = "Leave it out: the sessions share one process, or those of --num-procs."
        system.require_processes(where, hint)
        system.require(system.reports_processes(), "/proc", where=where, hint=hint)
