"""Snapshots of several processes, added up."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.observe.gauges import ApplicationGauges
from app_server.observe.snapshots import Snapshot, Totals, add, memory_bytes, merge, quantile, totals


def snapshot(process: str, sessions: int, built: int, **refused: int) -> Snapshot:
    gauges = ApplicationGauges()
    gauges.built = built
    gauges.refused.update(refused)
    for _ in range(built):
        gauges.build.note(0.02)
    applications = {"/app": {"now": {"sessions": sessions}, "ever": gauges.snapshot()}}
    return {"processes": {process: {"pid": 1, "applications": applications}}, "silent": []}


def test_processes_stand_side_by_side_and_their_numbers_are_added() -> None:
    merged = merge([snapshot("1", 2, 5, full=1), snapshot("2", 3, 7, full=1, token=4)], silent=["3"])
    assert list(merged["processes"]) == ["1", "2"]
    assert merged["silent"] == ["3"]
    application = totals(merged)["/app"]
    assert application["now"] == {"sessions": 5}
    assert application["ever"]["built"] == sum(application["ever"]["build"]["counts"]) == 12
    assert application["ever"]["refused"] == {"full": 2, "token": 4}


@pytest.mark.parametrize(("pss_bytes", "total"), [(None, 105), (60, 65)])
def test_memory_is_that_of_all_processes_and_of_isolated_sessions(pss_bytes: int | None, total: int) -> None:
    applications = {"/": {"now": {"apart_bytes": 5}}, "/new": {"now": {}}}
    facts = {"rss_bytes": 100, "pss_bytes": pss_bytes, "applications": applications}
    assert memory_bytes({"processes": {"0": facts}, "silent": []}) == total


def test_adding_changes_none_of_its_parts() -> None:
    one, other = snapshot("1", 1, 1, full=1), snapshot("2", 1, 1, token=1)
    totals(merge([one, other]))
    assert one == snapshot("1", 1, 1, full=1)


def counted(sessions: int, built: int) -> dict[str, Any]:
    """What a process counted for its applications."""
    applications: dict[str, Any] = snapshot("1", sessions, built)["processes"]["1"]["applications"]
    return applications


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (1, 2.5, 3.5),
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ([1, 2], [10, 20], [11, 22]),
        ([1], [10, 20], [11, 20]),
        ({"a": {"b": [1]}}, {"a": {"b": [2], "c": 3}}, {"a": {"b": [3], "c": 3}}),
    ],
)
def test_trees_are_added_place_by_place(one: Any, other: Any, total: Any) -> None:
    assert add(one, other) == add(other, one) == total


def test_counters_of_a_child_outlive_it_and_its_sessions_do_not() -> None:
    totals = Totals()
    totals.note(100, counted(sessions=4, built=9))
    totals.note(101, counted(sessions=1, built=3))
    totals.close(100)
    totals.note(101, counted(sessions=1, built=4))
    balance = totals.balance()["/app"]
    assert (balance["now"], balance["ever"]["built"]) == ({"sessions": 1}, 13)


def test_child_counts_once_however_often_it_is_noted_or_closed() -> None:
    totals = Totals()
    for built in (1, 2, 3):
        totals.note(100, counted(sessions=0, built=built))
    totals.close(100)
    totals.close(100)
    assert totals.balance()["/app"]["ever"]["built"] == 3


def test_sum_never_becomes_smaller_by_rounding() -> None:
    totals, sums = Totals(), []
    for number in range(1, 200):
        for child in (1, 2, 3):
            found = counted(sessions=1, built=0)
            found["/app"]["ever"]["build"]["sum_s"] = 0.1 * number * child
            totals.note(child, found)
            sums.append(totals.balance()["/app"]["ever"]["build"]["sum_s"])
    assert sums == sorted(sums)


BOUNDS_S = (0.1, 0.2, 1.0)


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([10, 0, 0, 0], 0.5, 0.05),
        ([0, 10, 0, 0], 0.5, 0.15),
        ([5, 0, 5, 0], 0.75, 0.6),
        ([0, 0, 0, 3], 0.5, 1.0),
    ],
)
def test_quantiles_are_read_off_the_buckets(counts: list[int], share: float, expected: float | None) -> None:
    assert quantile({"counts": counts}, BOUNDS_S, share) == (None if expected is None else pytest.approx(expected))
