"""The applications of a server, ready to have sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from app_server.apps import Application
from app_server.engine.runtime import ApplicationRuntime, Lifetimes, Snapshot
from app_server.observe.gauges import Gauges
from app_server.requests.policy import Policy
from app_server.security.admission import Admission
from app_server.session.session import MessageLimits, Session


def make_runtimes(
    applications: Mapping[str, Application],
    policy: Policy,
    loop: asyncio.AbstractEventLoop,
    gauges: Gauges,
    admission: Admission,
    isolated: Collection[str] = (),
) -> Sequence[ApplicationRuntime]:
    """One runtime for each application; the sessions of `isolated` routes live in processes of their own."""
    settings = policy.settings
    limits = MessageLimits(settings.websocket_max_message_size_bytes, show_tracebacks=settings.dev)
    lifetimes = Lifetimes(settings.unused_session_lifetime_ms / 1000, settings.check_unused_sessions_ms / 1000)
    runtimes = [
        ApplicationRuntime(application, route, limits, lifetimes, loop, gauges.application(route), admission)
        for route, application in applications.items()
    ]
    for runtime in runtimes:
        runtime.logout_url = policy.auth.logout_url
        runtime.isolated = runtime.url in isolated
    return runtimes


def serve_only(
    runtimes: Sequence[ApplicationRuntime],
    snapshot: Snapshot | None,
    on_begin: Callable[[Session], None],
    on_end: Callable[[Session], None],
) -> None:
    """Have the only session of this process begin with a snapshot, and report its begin and end."""
    for runtime in runtimes:
        runtime.snapshot = snapshot
        runtime.on_begin = on_begin
        runtime.on_end = on_end
