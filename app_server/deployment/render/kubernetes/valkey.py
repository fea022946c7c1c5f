"""The Valkey in which a cluster's instances save their sessions: one pod, which only they reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.plan.defaults import VALKEY_PORT
from app_server.deployment.plan.store import valkey_name
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.containers.valkey import valkey_words
from app_server.deployment.render.kubernetes.objects import CONTAINER_SECURITY, Object, labels, make, pod

VALKEY_UID: Final = 999


def valkey(plan: Plan, callers: tuple[str, ...]) -> Iterator[Object]:
    """Its objects, if the deployment wants one; `callers` are the names by which pods of instances are found."""
    if plan.store.kind != "valkey":
        return
    name = valkey_name(plan.spec, "cluster")
    selector = labels(plan, name)
    port = {"name": "valkey", "port": VALKEY_PORT, "targetPort": "valkey"}
    yield make(plan, "v1", "Service", name, {"selector": selector, "ports": [port]})
    # It outlives a restart of the container. A volume that outlives the pod needs a class that only the cluster knows.
    data: Object = {"name": "data", "emptyDir": {}}
    yield make(plan, "apps/v1", "Deployment", name, {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {"labels": selector}, "spec": pod(plan, name, VALKEY_UID, _container(plan), [data]),
        },
    })  # fmt: skip
    yield make(plan, "networking.k8s.io/v1", "NetworkPolicy", name, {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{
            "from": [{"podSelector": {"matchLabels": labels(plan, caller)}} for caller in callers],
            "ports": [{"port": VALKEY_PORT, "protocol": "TCP"}],
        }],
        "egress": [],
    })  # fmt: skip


def _container(plan: Plan) -> Object:
    memory = f"{plan.spec.containers.valkey.memory_mb}Mi"
    alive = {"exec": {"command": ["valkey-cli", "ping"]}, "periodSeconds": 10, "timeoutSeconds": 5}
    return {
        "name": "valkey",
        "image": plan.spec.containers.valkey.image,
        "args": list(valkey_words(plan)),
        "ports": [{"name": "valkey", "containerPort": VALKEY_PORT}],
        "livenessProbe": {**alive, "failureThreshold": 3},
        "readinessProbe": {"tcpSocket": {"port": "valkey"}, "periodSeconds": 2},
        "resources": {"requests": {"memory": memory, "cpu": "100m"}, "limits": {"memory": memory}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}],
    }
