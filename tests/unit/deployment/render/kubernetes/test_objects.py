"""What every manifest is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.kubernetes.objects import (
    PRE_STOP_S,
    labels,
    literal,
    make,
    namespace,
    pod,
    proxy_name,
)
from tests.unit.deployment.making import MINIMAL, loaded


def planned(folder: Path, more: str = "") -> Plan:
    return resolve_plan(loaded(folder, f"name: tools\n{MINIMAL}{more}"), layout="cluster")


def made(folder: Path, more: str = "") -> Any:
    """A pod's spec."""
    return pod(planned(folder, more), "tools-app", 10001, {"name": "app"}, [{"name": "state", "emptyDir": {}}])


def test_objects_are_in_the_deployments_namespace(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert (namespace(plan), proxy_name(plan)) == ("tools", "tools-proxy")
    assert namespace(planned(tmp_path, "containers: {namespace: other}\n")) == "other"


def test_object_has_what_it_is_given_and_nothing_empty(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    metadata = {"name": "n", "namespace": "tools", "labels": {"app.kubernetes.io/part-of": "tools"}}
    assert make(plan, "v1", "ConfigMap", "n", None, data={"a": "b"}) == {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"},
    }  # fmt: skip
    assert make(plan, "v1", "Service", "n", {}, annotations={}) == {
        "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {},
    }  # fmt: skip
    found = make(plan, "v1", "Service", "n", {}, annotations={"a": "b"})
    assert found["metadata"]["annotations"] == {"a": "b"} and "annotations" not in found


def test_pod_has_a_small_tmp_beside_its_own_volumes(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert found["volumes"] == [
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}, {"name": "state", "emptyDir": {}},
    ]  # fmt: skip
    assert found["containers"] == [{"name": "app"}]


def test_user_is_ours_unless_the_cluster_chooses(tmp_path: Path) -> None:
    security = made(tmp_path)["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"], security["fsGroup"]) == (10001, 10001, 10001)
    assert made(tmp_path, "kubernetes: {assigned_users: yes}\n")["securityContext"] == {
        "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "grace_s"),
    [("service: {stop_timeout_s: 100}\n", 100), ("containers: {grace_s: 50.6}\n", 51),
     ("service: {stop_timeout_s: 100}\ncontainers: {grace_s: 200}\n", 200)],
)  # fmt: skip
def test_grace_covers_the_time_before_the_stop(tmp_path: Path, more: str, grace_s: int) -> None:
    assert made(tmp_path, more)["terminationGracePeriodSeconds"] == grace_s + PRE_STOP_S


def test_registry_and_spread_are_named_where_they_are_wanted(tmp_path: Path) -> None:
    found = made(tmp_path, "kubernetes: {image_pull_secrets: [a, b], spread: no}\n")
    assert found["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert "topologySpreadConstraints" not in found
    found = made(tmp_path)
    assert "imagePullSecrets" not in found
    assert [each["topologyKey"] for each in found["topologySpreadConstraints"]] == [
        "topology.kubernetes.io/zone", "kubernetes.io/hostname",
    ]  # fmt: skip
    for each in found["topologySpreadConstraints"]:
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["labelSelector"] == {"matchLabels": labels(planned(tmp_path), "tools-app")}


@pytest.mark.parametrize(("text", "written"), [("", ""), ("$(HOME)", "$$(HOME)"), ("$$", "$$$$"), ("5 %", "5 %")])
def test_text_names_no_variable(text: str, written: str) -> None:
    assert literal(text) == written
