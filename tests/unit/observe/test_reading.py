"""A snapshot that is read back from /metrics."""

from __future__ import annotations

import pytest

from app_server.errors import OperatorError
from app_server.observe.exposition import expose
from app_server.observe.gauges import ApplicationGauges, LoopGauges
from app_server.observe.reading import snapshot_from
from app_server.observe.snapshots import Snapshot

WHERE = "http://host/metrics"
NASTY = 'back\\slash "quotes"\nline } # {'


def snapshot(url: str = "/app", process: str = "0") -> Snapshot:
    """What one process says of itself."""
    gauges = ApplicationGauges()
    gauges.built = 3
    gauges.refused["limit"] = 2
    gauges.build.note(0.02)
    gauges.round_trip.note(0.001)
    now = {"sessions": 2, "connections": 1, "unused": 1, "queued_bytes": 0, "apart_bytes": 5}
    now |= {"jobs_running": 2, "jobs_queued": 3}
    gauges.job_ended("done", 12.5)
    gauges.job_ended("refused")
    loop = LoopGauges()
    facts = {
        "pid": 7, "rss_bytes": 2**40, "pss_bytes": 3, "started_s": 1.5e9, "taken_s": 9.0, "draining": True,
        "max_sessions": 0, "cpu_s": 2.5, "answers": {"200": 4}, "loop": loop.snapshot(),
        "saving": {"saved": 9, "restored": 2, "lost": 1, "failed": 3, "away": 1},
        "applications": {url: {"now": now, "ever": gauges.snapshot()}},
    }  # fmt: skip
    return {"processes": {process: facts}, "silent": []}


def read(text: str) -> Snapshot:
    """The snapshot of a text."""
    return snapshot_from(text, taken_s=9.0, where=WHERE)


@pytest.mark.parametrize("name", ["/app", NASTY, "/größe/漢字"])
def test_what_was_exposed_is_read_whatever_names_hold(name: str) -> None:
    there = snapshot(name, process=name)
    found = read(expose(there).decode())
    assert found["processes"] == there["processes"] and found["silent"] == []


def test_silent_processes_are_counted() -> None:
    there = snapshot()
    there["silent"] = ["worker-1-7", "worker-2-8"]
    assert read(expose(there).decode())["silent"] == ["?", "?"]


@pytest.mark.parametrize("text", ["", "<html></html>", "up 1\n", "app_server_process_id", '{"a": 1}'])
def test_what_is_no_metrics_of_a_server_is_refused(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read(text)
    assert str(caught.value) == f"{WHERE}: this is not the /metrics of an app-server"


def test_a_server_of_another_version_is_refused() -> None:
    text = expose(snapshot()).decode()
    lines = [line for line in text.splitlines() if "session_build_seconds_bucket" not in line or "+Inf" in line]
    with pytest.raises(OperatorError) as caught:
        read("\n".join(lines) + "\n")
    assert str(caught.value) == (
        "app_server_session_build_seconds: the server has another version, whose figures cannot be read"
    )
