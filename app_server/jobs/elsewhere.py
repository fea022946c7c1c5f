"""Jobs under a server that is not ours, such as `bokeh serve` or `panel serve`, which knows nothing of them."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final
from weakref import WeakKeyDictionary

from app_server.jobs.running.pool import JobPool
from app_server.jobs.running.task import Owner
from app_server.jobs.session_jobs import Modules, SessionJobs

log = logging.getLogger(__name__)


class SessionsElsewhere:
    """The jobs of another server's sessions, within the default limits; they end with their sessions."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Final = JobPool()
        self._sessions: WeakKeyDictionary[Any, SessionJobs] = WeakKeyDictionary()

    def of(self, document: Any, context: Any) -> SessionJobs:
        """The jobs of the session of this document."""
        with self._lock:
            found = self._sessions.get(document)
            if found is None:
                found = self._sessions[document] = self._begun(document, context)
        return found

    def _begun(self, document: Any, context: Any) -> SessionJobs:
        if not self._sessions:
            log.info("app_server.jobs: this server is not app-server; jobs have the default limits, and no status")
        session = str(context.id)
        application = getattr(getattr(context.server_context, "application_context", None), "url", "") or "/"
        jobs = SessionJobs(self._pool, Owner(application, session, session), document, modules=Modules())
        document.on_session_destroyed(lambda context: jobs.end())
        return jobs
