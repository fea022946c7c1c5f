"""What can go wrong with a job, for the application's `on_error` and for the callback that submits it."""

from __future__ import annotations

from app_server.errors import ApplicationError


class JobError(ApplicationError):
    """Something about a job went wrong, other than an exception that its function raised."""


class JobsFull(JobError):
    """A job was refused: too many are running and queued. Raised by `submit`."""


class NotSendable(JobError):
    """A function, an argument or a result cannot be sent to or from another process."""


class JobDied(JobError):
    """The process of a job has ended before the function returned."""


class JobTimeout(JobError):
    """A job took longer than its `timeout_s`."""


class WorkFailed(JobError):
    """The function raised an exception that cannot be sent back from its process; the text says which."""


class JobCancelled(BaseException):
    """Raised in a job's function, by `progress`, when the job was cancelled.

    Not an Exception, because an `except Exception` around a step of the work must not swallow it.
    """
