"""The runtime of an application in a process that was started for one of its sessions."""

from __future__ import annotations

from app_server.apps import Application
from app_server.engine.lifecycle import UNOBSERVED, Lifetimes, SessionObserver
from app_server.engine.local import LocalRuntime, Snapshot
from app_server.engine.loop import EngineLoop
from app_server.engine.saving.saver import Saver
from app_server.engine.saving.woken import Asked, Woken
from app_server.engine.turns.queue import TurnQueue
from app_server.jobs.running.pool import JobPool
from app_server.observe.gauges import ApplicationGauges
from app_server.observe.otel.tracing import UNTRACED, Tracing
from app_server.security.admission import Admission
from app_server.session.context import AccessToken, ApplicationContext, isolated_context, no_access_token
from app_server.session.limits import MessageLimits
from app_server.session.session import Session


class SingleSessionRuntime(LocalRuntime):
    """Builds the one session that this process is there for; the application's other sessions have their own.

    With `snapshot`, the application has started for that session already.
    """

    def __init__(
        self,
        application: Application,
        url: str,
        limits: MessageLimits,
        lifetimes: Lifetimes,
        loop: EngineLoop,
        gauges: ApplicationGauges | None = None,
        admission: Admission | None = None,
        logout_url: str | None = None,
        observer: SessionObserver = UNOBSERVED,
        saver: Saver | None = None,
        snapshot: Snapshot | None = None,
        access_token: AccessToken = no_access_token,
        turns: type[TurnQueue] = TurnQueue,
        tracing: Tracing = UNTRACED,
        jobs: JobPool | None = None,
    ) -> None:
        shared = application, url, limits, lifetimes, loop, gauges, admission, logout_url, observer, saver
        super().__init__(*shared, access_token, turns, tracing, jobs)
        self._snapshot = snapshot

    def _make_context(self) -> ApplicationContext:
        return isolated_context(self.url)

    def _show_end(self, session: Session) -> None:
        """The process ends with its session: another one answers the page."""

    async def _build(self, asked: Asked, woken: Woken | None, snapshot: Snapshot | None = None) -> Session:
        snapshot, self._snapshot = self._snapshot, None
        return await super()._build(asked, woken, snapshot)
