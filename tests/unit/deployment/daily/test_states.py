"""What runs, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app_server.deployment.daily.states import (
    DeploymentState,
    InstanceState,
    age,
    applications_of,
    as_json,
    as_lines,
    with_missing,
)
from app_server.deployment.rollout.history import Entry
from tests.unit.deployment.daily.planned import plan

NOW_S = 1_000_000.0
LAST = Entry("2026-11-29T14:03:12+0100", "ann", "compose", "deploy", "done", "2", "4f2a9c1d")
RUNS = InstanceState("a1", "one", "healthy", NOW_S - 7300, "2", ("/who", "/more"))
ENDED = InstanceState("a2", "one", "ended with 1", NOW_S - 5, "2", ("/who",), restarts=3)


def test_table_has_a_line_for_each_instance_and_only_columns_that_say_something() -> None:
    state = DeploymentState("site", "ansible", "http://foo.com/", "off", (RUNS, ENDED), ("two: cannot be reached",))
    assert list(as_lines(state, LAST, NOW_S, NOW_S - 600)) == [
        "site (ansible) at http://foo.com/",
        "release 2, by ann 10 min ago, revision 4f2a9c1d",
        "maintenance: off",
        "",
        "INSTANCE  HOST  STATE         SINCE  RELEASE  RESTARTS  APPLICATIONS",
        "a1        one   healthy       2 h    2                  /who, /more",
        "a2        one   ended with 1  5 s    2        3         /who",
        "fault: two: cannot be reached",
    ]
    plain = DeploymentState("site", "compose", "http://foo.com/", "on", (InstanceState("a1", "", "not running"),))
    assert list(as_lines(plain, None, NOW_S, None))[1:] == [
        "maintenance: on", "", "INSTANCE  STATE", "a1        not running",
    ]  # fmt: skip


def test_state_as_json_says_whether_all_is_well() -> None:
    good = DeploymentState("site", "compose", "http://foo.com/", "on", (RUNS,))
    about = json.loads(json.dumps(as_json(good, LAST)))
    assert about["is_well"] is True and about["released"]["by"] == "ann"
    assert about["instances"][0]["applications"] == ["/who", "/more"]
    for bad in (
        DeploymentState("site", "compose", "http://foo.com/", "off", (RUNS, ENDED)),
        DeploymentState("site", "compose", "http://foo.com/", "off", (RUNS,), ("two: lost",)),
    ):
        assert as_json(bad, None)["is_well"] is False


def test_instances_of_the_plan_come_first_whether_they_run_or_not(tmp_path: Path) -> None:
    found = [InstanceState("old", "", "healthy"), InstanceState("a2", "", "healthy")]
    assert [(each.name, each.state) for each in with_missing(plan(tmp_path), found)] == [
        ("a1", "not running"), ("a2", "healthy"), ("sales-a1", "not running"), ("old", "healthy"),
    ]  # fmt: skip
    assert applications_of(plan(tmp_path), "sales-a1") == ("/sales",) and applications_of(plan(tmp_path), "x") == ()


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0 s"), (119, "119 s"), (125, "2 min"), (7300, "2 h"), (172800, "2 d")]
)
def test_age_is_as_exact_as_it_matters(seconds: float, text: str) -> None:
    assert age(seconds) == text
