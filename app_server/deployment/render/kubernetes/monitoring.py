"""What tells the Prometheus Operator where the instances' metrics are."""

from __future__ import annotations

from collections.abc import Iterator

from app_server.deployment.plan.values import Plan, Pool
from app_server.deployment.render.kubernetes.objects import POOL_LABEL, Object, labels, make


def monitor(plan: Plan, name: str, pool: Pool) -> Iterator[Object]:
    """The PodMonitor or ServiceMonitor of a pool, if the deployment has a Prometheus."""
    if plan.spec.kubernetes.prometheus is None:
        return
    by_service = plan.spec.kubernetes.monitor == "service"
    endpoint = {
        "port": "http", "path": "/metrics",
        # As the target prometheus names them on hosts: alerts and dashboard are the same.
        "relabelings": [
            {"targetLabel": "deployment", "replacement": plan.name},
            {"targetLabel": "pool", "replacement": pool.name},
            {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"},
        ],
    }  # fmt: skip
    # Of the Services, only the pool's own has all of its pods; by those of the instances, each would be read twice.
    selector = {POOL_LABEL: name} if by_service else labels(plan, name)
    kind, endpoints = ("ServiceMonitor", "endpoints") if by_service else ("PodMonitor", "podMetricsEndpoints")
    spec: Object = {"selector": {"matchLabels": selector}, endpoints: [endpoint]}
    yield make(plan, "monitoring.coreos.com/v1", kind, name, spec)
