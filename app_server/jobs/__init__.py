"""Long work of applications: it runs in a thread, a process or an executor, and comes back as turns of its session.

    from app_server.jobs import cancelled, find, progress, submit

`submit` and `find` are called by an application's callbacks, `progress` and `cancelled` by the work itself. Importing
this needs neither bokeh nor a server, and a function that reports its progress can be called without either.
"""

from __future__ import annotations

from app_server.jobs.api import find, submit
from app_server.jobs.errors import JobCancelled, JobDied, JobError, JobsFull, JobTimeout, NotSendable, WorkFailed
from app_server.jobs.job import Job
from app_server.jobs.reporting import cancelled, progress
from app_server.jobs.state import JobState

__all__ = [
    "Job", "JobCancelled", "JobDied", "JobError", "JobState", "JobTimeout", "JobsFull", "NotSendable", "WorkFailed",
    "cancelled", "find", "progress", "submit",
]  # fmt: skip
