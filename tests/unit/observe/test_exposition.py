"""What Prometheus reads, read back by its own parser."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app_server.errors import OperatorError
from app_server.observe.exposition import expose
from app_server.observe.gauges import FAST_S, ApplicationGauges, LoopGauges
from app_server.observe.reading import snapshot_from


def snapshot() -> dict[str, Any]:
    gauges, loop = ApplicationGauges(), LoopGauges()
    gauges.built = 3
    gauges.refused["full"] = 2
    gauges.round_trip.note(0.00025)
    gauges.round_trip.note(0.75)
    gauges.called_back("next_tick", 0.002)
    loop.beat(0.5, 1.0)
    now = {"sessions": 2, "connections": 1, "unused": 1, "queued_bytes": 17, "apart_bytes": 0}
    now |= {"jobs_running": 0, "jobs_queued": 0}
    facts = {
        "pid": 7, "started_s": 1000.0, "taken_s": 1010.0, "draining": True, "rss_bytes": 5, "pss_bytes": None,
        "max_sessions": 0, "cpu_s": 1.25, "answers": {"2xx": 4}, "loop": loop.snapshot(),
        "saving": {"saved": 9, "restored": 2, "lost": 1, "failed": 3, "away": 1},
        "applications": {'/a"\\\n': {"now": now, "ever": gauges.snapshot()}},
    }  # fmt: skip
    return {"processes": {"1": facts, "2": facts}, "silent": ["?"]}


def samples() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(expose(snapshot()).decode("utf-8"))
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def of(name: str, **labels: str) -> float | None:
    return samples().get((f"app_server_{name}", frozenset(labels.items())))


AT = {"application": '/a"\\\n', "process": "1"}


def test_whatever_an_application_is_called_is_read_back() -> None:
    assert of("sessions", **AT) == 2
    assert of("queue_bytes", **AT) == 17
    assert of("sessions_opened_total", **AT) == 3
    assert of("opens_refused_total", reason="full", **AT) == 2


def test_refusals_with_an_alert_are_there_before_the_first_one() -> None:
    # Prometheus takes the first value of a counter for where it began.
    assert [of("opens_refused_total", reason=each, **AT) for each in ("failed", "origin", "store", "login")] == [
        0, 0, 0, None,
    ]  # fmt: skip


def with_jobs() -> dict[str, Any]:
    """The same, of an application that has had jobs."""
    gauges = ApplicationGauges()
    gauges.job_ended("done", 12.5)
    gauges.job_ended("refused")
    found = snapshot()
    for facts in found["processes"].values():
        (application,) = facts["applications"].values()
        application["now"] |= {"jobs_running": 2, "jobs_queued": 3}
        application["ever"] |= {key: gauges.snapshot()[key] for key in ("job", "jobs")}
    return found


def test_jobs_are_there_by_how_they_ended_and_for_how_long_they_ran() -> None:
    text = expose(with_jobs()).decode("utf-8")
    found = {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("process") == "1" and "le" not in sample.labels and "_job" in sample.name
    }
    assert found == {
        ("app_server_jobs_running", ""): 2, ("app_server_jobs_queued", ""): 3, ("app_server_jobs_total", "done"): 1,
        ("app_server_jobs_total", "failed"): 0, ("app_server_jobs_total", "refused"): 1,
        ("app_server_job_seconds_count", ""): 1, ("app_server_job_seconds_sum", ""): 12.5,
    }  # fmt: skip


def test_what_the_store_has_done_is_counted_for_each_process() -> None:
    at = {"process": "2"}
    assert (of("sessions_saved_total", **at), of("sessions_restored_total", **at)) == (9, 2)
    assert (of("sessions_lost_total", **at), of("store_failures_total", **at), of("store_away", **at)) == (1, 3, 1)


def test_buckets_hold_all_that_was_shorter() -> None:
    found = [of("round_trip_seconds_bucket", le=str(bound), **AT) for bound in FAST_S]
    assert found == [1.0] * FAST_S.index(1.0) + [2.0] * (len(FAST_S) - FAST_S.index(1.0))
    assert of("round_trip_seconds_bucket", le="+Inf", **AT) == of("round_trip_seconds_count", **AT) == 2
    assert of("round_trip_seconds_sum", **AT) == 0.75025


def test_callbacks_carry_their_kind() -> None:
    assert of("callback_seconds_count", kind="next_tick", **AT) == 1


def test_what_belongs_to_a_process_carries_its_name() -> None:
    for process in ("1", "2"):
        assert of("draining", process=process) == 1
        assert of("loop_longest_lag_seconds", process=process) == 0.5
        assert of("http_answers_total", process=process, status="2xx") == 4
        assert of("cpu_seconds_total", process=process) == 1.25
    assert of("silent_processes") == 1


def test_application_that_nobody_has_used_has_no_histograms() -> None:
    assert of("session_build_seconds_count", **AT) is None
    assert of("sessions_ended_total", **AT) == 0


def test_what_prometheus_reads_can_be_read_back() -> None:
    text = expose(snapshot()).decode("utf-8")
    assert snapshot_from(text, taken_s=1010.0, where="here") == snapshot()


def test_other_texts_are_refused() -> None:
    for text in ("<html>", "# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total 1.0\n"):
        with pytest.raises(OperatorError) as caught:
            snapshot_from(text, taken_s=0.0, where="http://there/metrics")
        assert str(caught.value) == "http://there/metrics: this is not the /metrics of an app-server"


def test_memory_that_the_system_does_not_tell_is_left_out() -> None:
    assert of("resident_memory_bytes", process="1") == 5
    assert of("proportional_memory_bytes", process="1") is None
