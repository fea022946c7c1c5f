"""The jobs of a session that this server has built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app_server.apps import Application
from app_server.errors import AppServerError
from app_server.jobs.running.pool import JobPool
from app_server.jobs.running.task import Owner
from app_server.jobs.session_jobs import Modules, SessionJobs
from app_server.security.auth.users import identity


def jobs_of_session(
    pool: JobPool,
    application: Application,
    url: str,
    session_id: str,
    user: Any,
    document: Any,
    saved: Mapping[str, Any] | None = None,
) -> SessionJobs:
    """The jobs of this session; `saved` says which it had when it was saved."""
    folder = None if application.folder is None else str(application.folder)
    modules = Modules(folder, application.make_helpers_importable)
    return SessionJobs(
        pool, Owner(url, session_id, _user_key(user, session_id)), document, modules=modules, saved=saved
    )


def _user_key(user: Any, session_id: str) -> str:
    """What stands for the user; for the session if no one is logged in, or its user could be any other."""
    if user is None:
        return f"session\n{session_id}"
    try:
        return f"user\n{identity(user)}"
    except AppServerError:
        return f"session\n{session_id}"
