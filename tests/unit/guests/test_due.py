"""When tasks are due, from what `pn.state.schedule_task` takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from app_server.guests.due import due_times

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NOON_S = NOON.timestamp()


def due(at: object = None, period: timedelta | None = None, cron: str | None = None, count: int = 3) -> list[float]:
    """The first times, asked for at once at noon, in seconds after noon."""
    return [each - NOON_S for each in islice(due_times(at, period, cron, lambda: NOON_S), count)]  # type: ignore[arg-type]


def test_period_begins_at_once() -> None:
    assert due(period=timedelta(seconds=30)) == [0, 30, 60]


def test_period_begins_at_a_time() -> None:
    begin = datetime.fromtimestamp(NOON_S + 100)
    assert due(begin, timedelta(minutes=1)) == [100, 160, 220]


def test_period_leaves_out_what_was_missed() -> None:
    now = [NOON_S]
    times = due_times(None, timedelta(seconds=10), None, lambda: now[0])
    assert next(times) == NOON_S
    now[0] += 95  # the machine was asleep
    assert next(times) == NOON_S + 100


def test_time_is_due_once() -> None:
    assert due(datetime.fromtimestamp(NOON_S + 5)) == [5]


def test_times_of_an_iterator() -> None:
    def times() -> Iterator[datetime]:
        for seconds in (1, 2):
            yield datetime.fromtimestamp(NOON_S + seconds)

    assert due(times()) == [1, 2]


def test_function_is_asked_in_utc_until_it_has_no_time() -> None:
    asked: list[datetime] = []

    def at(now: datetime) -> datetime | None:
        asked.append(now)
        return now + timedelta(hours=1) if len(asked) < 3 else None

    assert due(at, count=5) == [3600, 3600]
    assert asked[0] == NOON.replace(tzinfo=None)


def test_cron_expression_is_in_utc() -> None:
    assert due(cron="30 12 * * *") == [1800, 1800 + 86400, 1800 + 2 * 86400]


def test_cron_expression_is_in_local_time_with_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert due(datetime.fromtimestamp(NOON_S), cron="30 21 * * *", count=1) == [1800]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_cron_expression_leaves_out_what_was_missed() -> None:
    now = [NOON_S]
    times = due_times(None, None, "* * * * *", lambda: now[0])
    assert next(times) == NOON_S + 60
    now[0] += 3630
    assert next(times) == NOON_S + 3660


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "a task needs a time (at), a period, or a cron expression (cron)"),
        ({"period": timedelta(0)}, "the period of a task must be longer than nothing"),
        ({"cron": "* * * * *", "at": iter([NOON])}, "with a cron expression, at must be a datetime"),
        ({"cron": "* * * * *", "at": lambda now: now}, "with a cron expression, at must be a datetime"),
    ],
)
def test_times_that_make_no_sense(given: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError) as caught:
        due(**given)  # type: ignore[arg-type]
    assert str(caught.value) == what
