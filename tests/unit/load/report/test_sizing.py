"""From what a session costs to a deployment."""

from __future__ import annotations

import pytest

from app_server.load.report.sizing import Size, size_for
from app_server.load.server_side import Costs, During, Use, costs, use_of

MB = 1_000_000
COSTS = Costs(100 * MB, 2 * MB, 0.01, 1)


def facts(sessions: int = 3, **other: object) -> dict[str, object]:
    now = {"sessions": sessions, "connections": 1, "apart_bytes": 7}
    own = {"taken_s": 10.0, "rss_bytes": 100, "pss_bytes": None, "cpu_s": 1.5, "applications": {"/a": {"now": now}}}
    return {**own, **other}


def test_deployment_has_room_to_spare() -> None:
    # Each carries 100, and is planned with 70.
    assert size_for(300, 100, 1, COSTS) == Size(300, 5, 60, 320, 3.0)
    assert size_for(70, 100, 1, COSTS) == Size(70, 1, 70, 320, 0.7)
    assert size_for(71, 100, 1, COSTS) == Size(71, 2, 36, 256, 0.8)


def test_several_instances_that_were_tested_together_carry_their_share() -> None:
    found = size_for(300, 100, 2, COSTS)
    assert found is not None and (found.instances, found.people_each) == (9, 34)


def test_what_is_not_known_is_left_out() -> None:
    assert size_for(300, 100, 1, None) == Size(300, 5, 60, None, None)
    assert size_for(300, 100, 1, Costs(5, None, None, 1)) == Size(300, 5, 60, None, None)
    assert size_for(300, 0, 1, COSTS) is None


def test_use_is_that_of_all_processes_of_all_instances() -> None:
    one = {"processes": {"0": facts(), "1": facts(pss_bytes=50, taken_s=11.0)}}
    assert use_of([one, {"processes": {"0": facts(5)}}]) == Use(11.0, 11, 100 + 50 + 100 + 21, 4.5, 3)


def test_processor_time_is_unknown_if_one_process_does_not_say() -> None:
    assert use_of([{"processes": {"0": facts(), "1": facts(cpu_s=None)}}]).cpu_s is None


def test_costs_are_those_of_the_stage_with_the_most_people() -> None:
    idle = Use(0.0, 1, 100 * MB, 1.0, 1)
    few = During(5, Use(10.0, 6, 101 * MB, 2.0, 1), Use(20.0, 6, 102 * MB, 2.1, 1))
    many = During(50, Use(30.0, 51, 150 * MB, 4.0, 1), Use(40.0, 51, 200 * MB, 9.0, 1))
    found = costs(idle, [few, many])
    assert (found.idle_bytes, found.session_bytes) == (100 * MB, 2 * MB)
    assert found.cpu_share == pytest.approx(0.01)
    assert costs(idle, []) == Costs(100 * MB, None, None, 1)


def test_costs_without_processor_time_are_those_of_memory() -> None:
    use = Use(0.0, 1, 100 * MB, None, 1)
    assert costs(use, [During(5, use, Use(9.0, 6, 110 * MB, None, 1))]).cpu_share is None
