"""The applications of a server, ready to have sessions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from app_server.apps import Application
from app_server.auth.authorizing import authorizer_for
from app_server.auth.backends import backend_for
from app_server.engine.isolated import IsolatedRuntime
from app_server.engine.lifecycle import Lifetimes, SessionObserver
from app_server.engine.local import LocalRuntime, Snapshot
from app_server.engine.loop import EngineLoop
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.saver import Saver
from app_server.engine.single import SingleSessionRuntime
from app_server.engine.turns.observed import ObservedTurnQueue
from app_server.engine.turns.queue import TurnQueue
from app_server.http.auth_backend import AuthBackend
from app_server.jobs.running.pool import JobLimits, JobPool
from app_server.observe.gauges import Gauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.requests.state.transport import TORNADO, Transport
from app_server.security.admission import Admission
from app_server.session.limits import MessageLimits
from app_server.settings import Settings


@dataclass(frozen=True)
class OwnSession:
    """The only session of a process that was forked for it, and what that process has from before the fork.

    `observer` is notified when the session has been built, when its code raises something, and when it has ended.
    """

    session_id: str
    policy: Policy
    pages: Pages
    snapshot: Snapshot | None
    observer: SessionObserver


def make_runtimes(
    applications: Mapping[str, Application],
    policy: Policy,
    loop: EngineLoop,
    gauges: Gauges,
    admission: Admission,
    isolated: Collection[str] = (),
    session: OwnSession | None = None,
    saver: Saver | None = None,
    tracing: Tracing = UNTRACED,
) -> Sequence[ApplicationRuntime]:
    """One runtime for each application; the sessions of `isolated` routes live in processes of their own.

    With `session`, this is the process of that session.
    """
    settings = policy.settings
    limits = MessageLimits(settings.websocket_max_message_size_bytes, show_tracebacks=settings.dev)
    lifetimes = Lifetimes(settings.unused_session_lifetime_ms / 1000, settings.check_unused_sessions_ms / 1000)
    logout_url, access_token = policy.auth.logout_url, policy.auth.access_token
    turns = ObservedTurnQueue if settings.console else TurnQueue
    job_limits = JobLimits(settings.max_jobs, settings.max_queued_jobs, settings.max_jobs_per_user)
    jobs = JobPool(job_limits, gauges.application)

    def runtime(route: str, application: Application) -> ApplicationRuntime:
        own = application, route, limits, lifetimes, loop, gauges.application(route), admission, logout_url
        if session is not None:
            return SingleSessionRuntime(
                *own, session.observer, saver, session.snapshot, access_token, turns, tracing, jobs
            )
        kind = IsolatedRuntime if route in isolated else LocalRuntime
        return kind(*own, saver=saver, access_token=access_token, turns=turns, tracing=tracing, jobs=jobs)

    return [runtime(route, application) for route, application in applications.items()]


def owners(auth: AuthBackend, runtimes: Sequence[ApplicationRuntime]) -> set[str]:
    """The users who have sessions in this process, as the login distinguishes them."""
    users = [session.context.user for runtime in runtimes for session in runtime.registry]
    return {owner for user in users if user and (owner := auth.owner(user)) is not None}


def policy_for(
    settings: Settings, port: int, auth: AuthBackend | None = None, transport: Transport = TORNADO
) -> Policy:
    """The policy of a server that listens on this port, with this login or the one that the settings ask for.

    OperatorError if a file that it needs is missing or malformed.
    """
    login = auth or backend_for(settings)
    return Policy.of(settings, login, port, authorizer_for(settings), same_host=transport.same_host)
