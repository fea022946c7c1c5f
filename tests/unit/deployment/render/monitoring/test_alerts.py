"""Alert rules: which there are, and what they compare with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import is_wanted, render
from app_server.errors import OperatorError, OperatorErrors
from tests.unit.deployment.making import MINIMAL, THREE, planned

METRICS = "server: {metrics: yes}\n"


def rules(plan: Plan) -> dict[str, dict[str, Any]]:
    """The rules of a plan by their names."""
    (file,) = render("alerts", plan).values()
    (group,) = yaml.safe_load(file.text)["groups"]
    assert group["name"] == plan.name
    return {rule["alert"]: rule for rule in group["rules"]}


def test_every_rule_is_about_this_deployment_alone(tmp_path: Path) -> None:
    plan = planned(tmp_path, THREE + METRICS + "name: tools\nservice: {memory_mb: 1000}\nsessions: {max_sessions: 9}\n")
    found = rules(plan)
    assert len(found) == 13
    for name, rule in found.items():
        assert rule["expr"].count("{") == rule["expr"].count('{deployment="tools"'), name
        assert rule["labels"]["deployment"] == "tools" and rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
    assert found["AppServerInstanceMissing"]["expr"].startswith('count(up{deployment="tools"}) < 3 or ')
    assert found["AppServerMemory"]["expr"].endswith("> 943718400")  # nine tenths of 1000 MiB


def test_rules_for_what_the_deployment_does_not_have_are_left_out(tmp_path: Path) -> None:
    found = rules(planned(tmp_path, MINIMAL + METRICS + "sessions: {store: off}\n"))
    left_out = {"AppServerFull", "AppServerNearlyFull", "AppServerMemory", "AppServerSavesNothing"}
    assert left_out.isdisjoint(found) and "AppServerSlow" in found


def test_limit_and_labels_are_those_of_the_file(tmp_path: Path) -> None:
    spec = MINIMAL + METRICS + "monitoring: {round_trip_s: 0.25, labels: {team: 'a \"b\": c'}}\n"
    found = rules(planned(tmp_path, spec))
    assert found["AppServerSlow"]["expr"].endswith(" > 0.25")
    assert {rule["labels"]["team"] for rule in found.values()} == {'a "b": c'}


@pytest.mark.parametrize("label", ["{team: '{{ $value }}'}", "{te-am: a}", "{team: ''}", '{team: "a\\nb"}', "{__a: b}"])
def test_label_that_prometheus_would_not_take_as_it_is_is_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises(OperatorErrors, match="monitoring.labels"):
        planned(tmp_path, MINIMAL + METRICS + f"monitoring: {{labels: {label}}}\n")


@pytest.mark.parametrize("target", ["alerts", "grafana", "prometheus"])
def test_without_metrics_there_is_nothing_to_watch(tmp_path: Path, target: str) -> None:
    plan = planned(tmp_path)
    assert not is_wanted(target, plan)
    with pytest.raises(OperatorError) as caught:
        render(target, plan)
    assert str(caught.value) == (
        "server.metrics: the instances have no metrics for Prometheus. Add `metrics: yes` to the block `server`."
    )
    assert is_wanted(target, planned(tmp_path, MINIMAL + METRICS))


def test_cluster_that_prometheus_reads_has_alerts_too(tmp_path: Path) -> None:
    assert rules(planned(tmp_path, MINIMAL + "kubernetes: {prometheus: monitoring}\n"))
