"""Instances that an autoscaler starts: the object that asks for them, and a proxy that knows them before they exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from app_server.deployment.render.kubernetes.scaling import ADAPTER_RULE, METRIC
from app_server.errors import OperatorError
from app_server.observe.exposition import NOW
from tests.unit.deployment.render.kubernetes.making import manifests, of_kind

SAVED = "sessions: {store: valkey}\n"
WISH = "kubernetes: {prometheus: monitoring, autoscale: {max: 5, sessions: 40}}\n"


def deployment(instances: int, more: str = SAVED + WISH) -> str:
    return f"name: tools\napps: {{a: a.py}}\npublic: tools.example.org\ninstances: {instances}\n{more}"


def configuration(objects: list[dict[str, Any]]) -> str:
    """The site of the proxy."""
    (data,) = [each["data"] for each in of_kind("ConfigMap", objects)]
    return str(data["tools.conf"])


def test_autoscaler_goes_by_sessions_and_takes_one_instance_at_a_time(tmp_path: Path) -> None:
    objects = manifests(tmp_path, deployment(2))
    (scaler,) = of_kind("HorizontalPodAutoscaler", objects)
    (pods,) = of_kind("StatefulSet", objects)
    spec = scaler["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": pods["metadata"]["name"]}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    (metric,) = spec["metrics"]
    assert metric["pods"] == {
        "metric": {"name": METRIC}, "target": {"type": "AverageValue", "averageValue": "40"},
    }  # fmt: skip
    assert spec["behavior"]["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
    # The next `kubectl apply` must not undo what it has chosen.
    assert "replicas" not in pods["spec"]


def test_proxy_knows_every_instance_that_there_may_be(tmp_path: Path) -> None:
    objects = manifests(tmp_path, deployment(2))
    site = configuration(objects)
    services = {each["metadata"]["name"] for each in of_kind("Service", objects)}
    for name in ("a-0", "a-1", "a-2", "a-3", "a-4"):
        assert name in services and f"server {name}:5006 max_fails=3" in site and f"location ^~ /_i/{name}/" in site
    assert "a-5" not in site and "a-5" not in services
    # Three of the five may be missing, and the fourth has the answer.
    assert "proxy_next_upstream_tries 4;" in site
    assert configuration(manifests(tmp_path, deployment(2, SAVED))).count("server a-2:") == 0


def test_single_instance_has_a_route_where_others_may_come(tmp_path: Path) -> None:
    objects = manifests(tmp_path, deployment(1))
    (pods,) = of_kind("StatefulSet", objects)
    words = pods["spec"]["template"]["spec"]["containers"][0]["args"]
    assert words[words.index("--route") + 1] == "$(POD_NAME)"
    assert "location ^~ /_i/a-0/" in configuration(objects)
    plain = manifests(tmp_path, deployment(1, SAVED))
    assert "--route" not in of_kind("StatefulSet", plain)[0]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_every_pool_has_an_autoscaler(tmp_path: Path) -> None:
    text = deployment(2).replace("{a: a.py}", "{a: a.py, b: {path: b.py, instances: 1}}")
    scalers = of_kind("HorizontalPodAutoscaler", manifests(tmp_path, text))
    assert [(each["metadata"]["name"], each["spec"]["minReplicas"]) for each in scalers] == [("a", 2), ("b", 1)]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            WISH,
            "kubernetes.autoscale: an instance that is stopped when there are few sessions would end those that it "
            "has. Save them with sessions.store: valkey.",
        ),
        (
            SAVED + WISH.replace("prometheus: monitoring, ", ""),
            "kubernetes.autoscale: an autoscaler gets the number of sessions from Prometheus. "
            "Name its namespace with kubernetes.prometheus.",
        ),
        (
            SAVED + WISH.replace("max: 5", "max: 3"),
            "kubernetes.autoscale.max: there are 3 instances anyway. Write 4 or more, or remove kubernetes.autoscale.",
        ),
    ],
)
def test_autoscaler_that_makes_no_sense_is_refused(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        manifests(tmp_path, deployment(3, more))
    assert str(caught.value) == message


def test_metric_is_one_that_instances_have() -> None:
    assert METRIC in {name for name, _ in NOW.values()}
    (rule,) = yaml.safe_load(ADAPTER_RULE)["rules"]["custom"]
    assert rule["name"] == {"as": METRIC} and rule["seriesQuery"].startswith(f"{METRIC}{{")
