"""The instances of a cluster: a StatefulSet for each pool, in which each keeps its name, with a Service for each.

Each instance has a Service of its own, whose address stays when its pod is replaced: nginx asks for a name's address
only when it starts. The pod's name is the route in its pages' addresses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app_server.deployment.plan.defaults import CONTAINER_PORT
from app_server.deployment.plan.values import Instance, Plan, Pool
from app_server.deployment.render.containers.compose import manager_words
from app_server.deployment.render.kubernetes.direct import pages
from app_server.deployment.render.kubernetes.objects import (
    APP_UID,
    CONTAINER_SECURITY,
    POOL_LABEL,
    PRE_STOP_S,
    Object,
    labels,
    literal,
    make,
    pod,
    proxy_name,
)
from app_server.deployment.render.kubernetes.scaling import scaled, with_spares

SECRETS: Final = "/run/secrets/app"


def with_pods_names(plan: Plan) -> Plan:
    """The plan with instances that are called, reached and routed as their pods are, and all that there may be."""
    numbers = itertools.count()
    return replace(plan, pools=tuple(_pool_of_pods(plan, with_spares(plan, pool), numbers) for pool in plan.pools))


def _pool_of_pods(plan: Plan, pool: Pool, numbers: Iterator[int]) -> Pool:
    def pod(number: int, instance: Instance) -> Instance:
        name = f"{set_name(plan, pool)}-{number}"
        flags = list(instance.flags)
        if instance.route is not None:
            flags[flags.index("--route") + 1] = "$(POD_NAME)"
        route = name if instance.route is not None else None
        return replace(instance, name=name, route=route, address=name, flags=tuple(flags), index=next(numbers))

    return replace(pool, instances=tuple(pod(number, each) for number, each in enumerate(pool.instances)))


def set_name(plan: Plan, pool: Pool) -> str:
    """The name of a pool's StatefulSet, by which its pods are found."""
    return pool.name.lower().replace("_", "-") if pool.name != plan.name else f"{plan.name}-app"


def of_pool(plan: Plan, pool: Pool) -> Iterator[Object]:
    """The StatefulSet of a pool, its Services, and what protects its pods."""
    name = set_name(plan, pool)
    selector = labels(plan, name)
    port = {"name": "http", "port": CONTAINER_PORT, "targetPort": "http"}
    # An instance that drains is still asked for its sessions, hence addresses that are not ready.
    common = {"publishNotReadyAddresses": True, "ports": [port]}
    yield make(plan, "v1", "Service", name, {"clusterIP": "None", "selector": selector, **common},
               labels={POOL_LABEL: name})  # fmt: skip
    for instance in pool.instances:
        own = {"statefulset.kubernetes.io/pod-name": instance.name}
        yield make(plan, "v1", "Service", instance.name, {"selector": own, **common})
    yield from pages(plan, name)
    secrets: list[Object] = []
    if plan.secrets:
        secrets.append({"name": "secrets", "secret": {"secretName": f"{plan.name}-secrets"}})
    yield make(plan, "apps/v1", "StatefulSet", name, {
        "serviceName": name,
        # An autoscaler's number must not be set back by the next `kubectl apply`.
        **({} if scaled(plan) else {"replicas": len(pool.instances)}),
        # All at once at the start; an update still replaces one after another.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {"labels": selector}, "spec": pod(plan, name, APP_UID, _instance(plan, pool), secrets),
        },
    })  # fmt: skip
    yield make(plan, "policy/v1", "PodDisruptionBudget", name, {
        "maxUnavailable": 1, "selector": {"matchLabels": selector},
    })  # fmt: skip
    yield make(plan, "networking.k8s.io/v1", "NetworkPolicy", name, {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": list(_callers(plan)), "ports": [{"port": CONTAINER_PORT, "protocol": "TCP"}]}],
    })  # fmt: skip


def _callers(plan: Plan) -> Iterator[Object]:
    """Who may reach an instance."""
    if plan.has_proxy:
        yield {"podSelector": {"matchLabels": labels(plan, proxy_name(plan))}}
    cluster = plan.spec.kubernetes
    others = (*(() if plan.has_proxy else cluster.callers), *([cluster.prometheus] if cluster.prometheus else []))
    for name in others:
        yield {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _instance(plan: Plan, pool: Pool) -> Object:
    spec = plan.spec.containers
    first = pool.instances[0]
    limits: Object = {"memory": f"{spec.memory_mb}Mi"}
    if spec.cpus is not None:
        limits["cpu"] = f"{spec.cpus:g}"
    environment: list[Object] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *({"name": f"{s.variable}_FILE", "value": f"{SECRETS}/{s.name}"} for s in plan.secrets),
        *({"name": key, "value": literal(value)} for key, value in plan.spec.service.environment.items()),
    ]
    # Text that looks like a variable must not become one.
    # --args takes all that follows, so it stays last.
    words = (*manager_words(plan), *first.apps, *_metrics(plan), *first.flags)
    words = tuple(word if word == "$(POD_NAME)" else literal(word) for word in words)
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]
    if plan.secrets:
        mounts.append({"name": "secrets", "mountPath": SECRETS})
    return {
        "name": "app",
        "image": plan.contained.product,
        "args": list(words),
        "env": environment,
        "ports": [{"name": "http", "containerPort": CONTAINER_PORT}],
        "startupProbe": _probe(plan, "/healthz", periodSeconds=1, failureThreshold=120),
        "livenessProbe": _probe(plan, "/healthz", periodSeconds=10, timeoutSeconds=5, failureThreshold=3),
        "readinessProbe": _probe(plan, "/readyz", periodSeconds=2, timeoutSeconds=2),
        # After it comes SIGTERM, and the instance drains: new pages go elsewhere, sessions go on.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "resources": {"requests": {"memory": limits["memory"], "cpu": "100m"}, "limits": limits},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }


def _probe(plan: Plan, path: str, **more: int) -> Object:
    return {"httpGet": {"path": plan.site.prefix + path, "port": "http"}, **more}


def _metrics(plan: Plan) -> tuple[str, ...]:
    """The flag that Prometheus needs, unless the deployment has it already."""
    wanted = plan.spec.kubernetes.prometheus is not None and "metrics" not in plan.spec.server
    return ("--metrics",) if wanted else ()
