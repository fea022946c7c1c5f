"""The figures of the charts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from app_server.observe.gauges import ApplicationGauges
from app_server.server.console.usage import History, cpu_s, tree_of


def snapshot(gauges: ApplicationGauges, sessions: int = 1, pss: int | None = None) -> dict[str, Any]:
    now = {"sessions": sessions, "apart_bytes": 5}
    facts = {"rss_bytes": 100, "pss_bytes": pss, "applications": {"/": {"now": now, "ever": gauges.snapshot()}}}
    return {"processes": {"0": facts}, "silent": []}


def test_points_say_what_happened_between_two_samples() -> None:
    history, gauges = History(), ApplicationGauges()
    history.sample(snapshot(gauges), 1.0, 100.0)
    assert history.points()["at_s"] == []
    gauges.messages_in = 50
    gauges.round_trip.note(0.002)
    history.sample(snapshot(gauges, 3), 2.0, 105.0)
    points = history.points()
    assert (points["at_s"], points["sessions"], points["messages"], points["cpu"]) == ([105.0], [3], [10.0], [0.2])
    assert 0.001 < points["p99"][0] <= 0.0025


def test_counters_that_began_again_are_no_negative_rate() -> None:
    history, gauges = History(), ApplicationGauges()
    gauges.messages_in = 50
    history.sample(snapshot(gauges), 9.0, 100.0)
    history.sample(snapshot(ApplicationGauges()), 2.0, 105.0)
    assert (history.points()["messages"], history.points()["cpu"], history.points()["p99"]) == ([0.0], [0.0], [None])


def test_server_that_does_not_answer_has_a_point_too() -> None:
    history = History()
    for now_s in (1.0, 2.0):
        history.sample({"processes": {}, "silent": ["0-7"]}, 0.0, now_s)
    assert history.points()["sessions"] == [0]


def test_processor_time_is_that_of_all_descendants() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert {os.getpid(), child.pid} <= set(tree_of(os.getpid()))
        child.communicate(b"\n")
    assert cpu_s(os.getpid()) > 0
    assert cpu_s(2**22 + 1) == 0.0
