"""What a process counts."""

from __future__ import annotations

import json
import timeit

from app_server.observe.gauges import FAST_S, SLOW_S, ApplicationGauges, Gauges, Histogram, LoopGauges, SavingGauges


def test_duration_at_a_bound_counts_as_below_it() -> None:
    histogram = Histogram((0.1, 1.0))
    for duration_s in (0.05, 0.1, 0.5, 1.0, 3.0):
        histogram.note(duration_s)
    assert histogram.snapshot() == {"counts": [2, 2, 1], "sum_s": 4.65}


def test_callbacks_are_told_apart_by_kind() -> None:
    gauges = ApplicationGauges()
    gauges.called_back("change", 0.0001)
    gauges.called_back("periodic", 100.0)
    callbacks = gauges.snapshot()["callbacks"]
    assert callbacks["change"]["counts"] == [1] + [0] * len(FAST_S)
    assert callbacks["periodic"]["counts"] == [0] * len(FAST_S) + [1]


def test_snapshot_travels_as_json() -> None:
    gauges = ApplicationGauges()
    gauges.refused["full"] += 2
    gauges.round_trip.note(0.001)
    snapshot = gauges.snapshot()
    assert json.loads(json.dumps(snapshot)) == snapshot


def test_snapshot_does_not_change_afterwards() -> None:
    gauges = ApplicationGauges()
    before = gauges.snapshot()
    gauges.build.note(1.0)
    gauges.refused["token"] += 1
    assert (sum(before["build"]["counts"]), before["refused"]) == (0, {})


def test_recent_lag_is_forgotten_and_the_longest_is_not() -> None:
    gauges = LoopGauges()
    gauges.beat(3.0, now_s=100.0)
    gauges.beat(0.1, now_s=130.0)
    assert gauges.snapshot()["now"] == {"lag_s": 0.1, "longest_lag_s": 3.0, "recent_lag_s": 3.0}
    gauges.beat(0.2, now_s=170.0)
    assert gauges.snapshot()["now"]["recent_lag_s"] == 3.0
    gauges.beat(0.0, now_s=240.0)
    assert gauges.snapshot()["now"] == {"lag_s": 0.0, "longest_lag_s": 3.0, "recent_lag_s": 0.2}


def test_lags_have_a_histogram() -> None:
    gauges = LoopGauges()
    gauges.beat(0.02, now_s=1.0)
    assert gauges.snapshot()["ever"]["lag"]["counts"][SLOW_S.index(0.025)] == 1


def test_each_application_has_gauges_of_its_own() -> None:
    gauges = Gauges()
    assert gauges.application("/a") is gauges.application("/a") is not gauges.application("/b")


def test_answers_are_counted_by_class() -> None:
    gauges = Gauges()
    for status in (200, 204, 404, 503):
        gauges.answered(status)
    assert gauges.answers == {"2xx": 2, "4xx": 1, "5xx": 1}


def test_noting_a_change_costs_microseconds() -> None:
    gauges = ApplicationGauges()

    def note() -> None:
        gauges.messages_in += 1
        gauges.called_back("change", 0.0003)
        gauges.round_trip.note(0.0004)

    assert min(timeit.repeat(note, number=1000, repeat=20)) / 1000 < 20e-6


def test_what_the_store_does_is_counted() -> None:
    gauges = SavingGauges()
    gauges.note_saved(3)
    gauges.note_saved(2)
    gauges.note_restored()
    gauges.note_lost()
    gauges.note_failed()
    assert gauges.snapshot() == {"saved": 5, "restored": 1, "lost": 1, "failed": 1}
    assert not gauges.away
    gauges.note_away(True)
    assert gauges.away
