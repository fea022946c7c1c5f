"""The session that calls `submit`, whichever server serves it."""

from __future__ import annotations

from functools import cache
from typing import Any

from app_server.document.current import working_document
from app_server.guests import working_guest_document
from app_server.jobs.elsewhere import SessionsElsewhere
from app_server.jobs.errors import JobError
from app_server.jobs.reporting import in_job
from app_server.jobs.session_jobs import SessionJobs

_SERVE = "Call it in an application that is served: app-server serve FILE. In a thread of your own, pass document="
_IN_CALLBACKS = "A job cannot submit another one: do that in its on_result"
_ALL_AT_ONCE = "Submit jobs in callbacks"


def session_jobs(document: Any = None) -> SessionJobs:
    """The jobs of the session that this document belongs to, or of the one that runs here. JobError if there is none.

    Under another server, such as `bokeh serve`, the jobs run as well, but their limits are the default ones.
    """
    for found in (working_document(), working_guest_document()) if document is None else (document,):
        context = getattr(found, "session_context", None)
        if context is None:
            continue
        if not hasattr(context, "jobs"):
            return _elsewhere().of(found, context)
        jobs: SessionJobs | None = context.jobs
        if jobs is None:
            what = "the application runs without a session at the moment, to be started for all of them or to be saved"
            raise JobError(what, where="app_server.jobs", hint=_ALL_AT_ONCE)
        return jobs
    hint = _IN_CALLBACKS if in_job() else _SERVE
    raise JobError("no session is at work here", where="app_server.jobs", hint=hint)


@cache
def _elsewhere() -> SessionsElsewhere:
    return SessionsElsewhere()
