"""When a task is due, from what `pn.state.schedule_task` takes: a time, a period, or a cron expression."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from app_server.errors import ApplicationError

At: TypeAlias = "datetime | Iterator[datetime] | Callable[[datetime], datetime | None] | None"


def due_times(
    at: At, period: timedelta | None, cron: str | None, now_s: Callable[[], float] = time.time
) -> Iterator[float]:
    """The times, in seconds since the epoch; the first may be past, and is due at once then.

    `at` is in local time, or a function from the time in UTC to the next one in UTC, None after the last. Periods and
    cron expressions leave out what the process has missed. ValueError for what makes no sense together, TypeError
    for another kind of `at`.
    """
    if not (at is None or isinstance(at, datetime | Iterator) or callable(at)):
        raise TypeError(f"at must be a datetime, datetimes one after another, or a function, not {at!r}")
    if cron is not None:
        return _of_cron(cron, at, now_s)
    if isinstance(at, Iterator):
        return (each.timestamp() for each in at)
    if callable(at):
        return _of_function(at, now_s)
    if period is not None:
        if period <= timedelta(0):
            raise ValueError("the period of a task must be longer than nothing")
        return _periodic(datetime.fromtimestamp(now_s()) if at is None else at, period, now_s)
    if at is None:
        raise ValueError("a task needs a time (at), a period, or a cron expression (cron)")
    return iter((at.timestamp(),))


def _of_cron(cron: str, at: At, now_s: Callable[[], float]) -> Iterator[float]:
    if isinstance(at, Iterator) or callable(at):
        raise ValueError("with a cron expression, at must be a datetime")
    try:
        from croniter import croniter
    except ModuleNotFoundError as error:
        hint = "Install it: pip install croniter"
        raise ApplicationError("cron expressions need the package croniter", hint=hint) from error
    base = datetime.fromtimestamp(now_s(), UTC) if at is None else at.astimezone()
    return _later_than_now(croniter(cron, base, ret_type=float), now_s)


def _later_than_now(times: Any, now_s: Callable[[], float]) -> Iterator[float]:
    """These times without those that are past when they are asked for, but for the first."""
    yield next(times)
    for due_s in times:
        if due_s > now_s():
            yield due_s


def _periodic(begin: datetime, period: timedelta, now_s: Callable[[], float]) -> Iterator[float]:
    due = begin
    yield due.timestamp()
    while True:
        missed = max(0.0, now_s() - due.timestamp())
        # By the wall clock: what is due at six each day is so in summer, too.
        due += period * (int(missed / period.total_seconds()) + 1)
        yield due.timestamp()


def _of_function(function: Callable[[datetime], datetime | None], now_s: Callable[[], float]) -> Iterator[float]:
    while (due := function(datetime.fromtimestamp(now_s(), UTC).replace(tzinfo=None))) is not None:
        yield due.replace(tzinfo=UTC).timestamp()
