"""The monitors of the Prometheus Operator, by pods and by Services."""

from __future__ import annotations

from pathlib import Path

from tests.unit.deployment.render.kubernetes.making import DEPLOYMENTS, manifests, of_kind

SERVICE = DEPLOYMENTS["three"] + "kubernetes: {prometheus: monitoring, monitor: service}\n"


def test_service_monitor_reads_each_pod_once(tmp_path: Path) -> None:
    objects = manifests(tmp_path, SERVICE)
    (monitor,) = of_kind("ServiceMonitor", objects)
    wanted = monitor["spec"]["selector"]["matchLabels"]
    chosen = [
        each for each in of_kind("Service", objects) if wanted.items() <= each["metadata"]["labels"].items()
    ]  # fmt: skip
    (pods,) = of_kind("StatefulSet", objects)
    # The instances' own Services, and the proxy's, are not chosen.
    assert [each["spec"]["selector"] for each in chosen] == [pods["spec"]["selector"]["matchLabels"]]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in chosen[0]["spec"]["ports"]}
    assert of_kind("PodMonitor", objects) == []


def test_both_name_targets_alike(tmp_path: Path) -> None:
    (by_service,) = of_kind("ServiceMonitor", manifests(tmp_path, SERVICE))
    (by_pod,) = of_kind("PodMonitor", manifests(tmp_path, SERVICE.replace("monitor: service", "monitor: pod")))
    assert by_service["spec"]["endpoints"] == by_pod["spec"]["podMetricsEndpoints"]


def test_without_prometheus_there_is_no_monitor(tmp_path: Path) -> None:
    objects = manifests(tmp_path, DEPLOYMENTS["three"] + "kubernetes: {monitor: service}\n")
    assert of_kind("ServiceMonitor", objects) == of_kind("PodMonitor", objects) == []
