"""What the function of a job may call: `progress` and `cancelled`, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from app_server.jobs.errors import JobCancelled


class Reporter(Protocol):
    """Where a running function's reports go, and where it finds out that it was cancelled."""

    @property
    def cancelled(self) -> bool: ...

    def report(self, fraction: float | None, text: str) -> None: ...


_reporter: ContextVar[Reporter | None] = ContextVar("app_server_job", default=None)

_here: list[Reporter] = []
"""What all threads of this process report to: it is the process of one job."""


def progress(fraction: float | None = None, text: str = "") -> None:
    """Report how far the work is: `fraction` is 0 to 1, None if that is unknown; `text` says what it is doing.

    Call it as often as you like: the page is shown the newest report, as fast as it can take them. Raises JobCancelled
    if the job was cancelled, so a function that reports its progress also ends when it is cancelled. Outside of a job
    it does nothing.
    """
    reporter = _current()
    if reporter is None:
        return
    if reporter.cancelled:
        raise JobCancelled
    reporter.report(_checked(fraction), str(text))


def cancelled() -> bool:
    """Whether the job that calls this was cancelled, and should return soon. Outside of a job: False."""
    reporter = _current()
    return reporter is not None and reporter.cancelled


def in_job() -> bool:
    """Whether a job's function is what calls this."""
    return _current() is not None


def _current() -> Reporter | None:
    found = _reporter.get()
    return found if found is not None or not _here else _here[0]


def report_here(reporter: Reporter) -> None:
    """Let `progress` and `cancelled` mean this job in every thread of this process, from now on."""
    _here[:] = [reporter]


def _checked(fraction: float | None) -> float | None:
    if fraction is None:
        return None
    number = float(fraction)
    if number != number:
        raise ValueError("progress: the fraction is not a number; pass 0 to 1, or None")
    return min(max(number, 0.0), 1.0)


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[None]:
    """A block in which `progress` and `cancelled` mean this job."""
    token = _reporter.set(reporter)
    try:
        yield
    finally:
        _reporter.reset(token)
