"""What a server says of itself to those who watch it: one process, or all that answer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bokeh.models import Div

from app_server.processes.runtime_dir import RuntimeDir
from app_server.server.membership import Membership
from app_server.server.observing.metrics import merged, snapshot_of, snapshot_of_all
from tests.support.servers.inside import Inside, inside


def fill(document: Any) -> None:
    """A text."""
    document.add_root(Div())


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """A server that is watched."""
    with inside({"/app": fill, "/other": fill}, metrics=True, max_sessions=7) as served:
        yield served


def test_metrics_are_for_those_who_come_directly(state: Inside) -> None:
    state.get("/app")
    answer = state.get("/metrics")
    assert answer.status == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'application="/app"' in answer.text
    for header in ("X-Forwarded-For", "X-Real-Ip", "X-Forwarded-Proto", "Forwarded", "Via"):
        assert state.get("/metrics", headers={header: "x"}).status == 404


def test_metrics_are_nowhere_unless_they_are_wanted() -> None:
    with inside({"/app": fill}) as served:
        assert served.get("/metrics").status == 404


def test_snapshot_has_what_was_counted_and_what_is_true_now(state: Inside) -> None:
    state.get("/other")
    found = state.call(snapshot_of, state.server.state)
    assert found["silent"] == [] and list(found["processes"]) == ["0"]
    facts = found["processes"]["0"]
    assert facts["pid"] == os.getpid() and facts["max_sessions"] == 7 and facts["draining"] is False
    assert facts["rss_bytes"] > 0 and facts["pss_bytes"] is None
    assert 0 < facts["cpu_s"] <= time.process_time()
    assert facts["applications"]["/other"]["now"]["sessions"] == 1
    assert facts["applications"]["/other"]["ever"]["built"] == 1
    assert facts["taken_s"] >= facts["started_s"]


def test_snapshot_of_all_processes_is_asked_for(tmp_path: Path) -> None:
    runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(tmp_path / "run")})
    with (
        inside({"/app": fill}, membership=Membership(runtime_dir, 0, 2)) as first,
        inside({"/app": fill}, membership=Membership(runtime_dir, 1, 2)) as second,
    ):
        second.get("/app")
        second.server.state.process.begin_draining()
        found = first.do(snapshot_of_all(first.server.state))
        assert sorted(found["processes"]) == ["0", "1"] and found["silent"] == []
        assert found["processes"]["1"]["applications"]["/app"]["now"]["sessions"] == 1
        assert found["processes"]["1"]["draining"] is True and found["processes"]["1"]["pss_bytes"] > 0
        second.server.state.process.workers.superseded = True  # type: ignore[union-attr]
        assert f"1-{os.getpid()}" in first.do(snapshot_of_all(first.server.state))["processes"]


def test_process_that_does_not_answer_is_named_while_it_lives(state: Inside) -> None:
    answer = state.call(snapshot_of, state.server.state)
    found = merged({"worker-0-1": answer, f"worker-3-{os.getpid()}": None, "worker-4-4194304": None})
    assert found["silent"] == [f"3-{os.getpid()}"] and list(found["processes"]) == ["0"]
