"""Manifests for Kubernetes: instances as a StatefulSet, in which each keeps its name, and the proxy in front.

Each instance has a Service of its own, whose address stays when its pod is replaced: nginx asks for a name's address
only when it starts. The pod's name is the route in its pages' addresses. Secrets and the certificate are referred to by
name, and created by the cluster's operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import yaml

from app_server.deployment.plan.defaults import CONTAINER_PORT
from app_server.deployment.plan.values import Instance, Plan, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render.containers.compose import manager_words
from app_server.deployment.render.containers.kubernetes_front import front
from app_server.deployment.render.containers.kubernetes_objects import (
    APP_UID,
    CONTAINER_SECURITY,
    PRE_STOP_S,
    Object,
    labels,
    literal,
    make,
    namespace,
    pod,
    proxy_name,
)
from app_server.deployment.render.containers.kubernetes_valkey import valkey
from app_server.deployment.render.templates import header
from app_server.errors import OperatorError

SECRETS: Final = "/run/secrets/app"


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def render(plan: Plan) -> Files:
    """One file for `kubectl apply -f`."""
    _refuse(plan)
    plan = with_pods_names(plan)
    text = "".join(f"# {line}\n" for line in [*header(plan, "kubernetes"), *_made_before(plan)])
    text += yaml.safe_dump_all(list(objects(plan)), sort_keys=False, width=10_000, allow_unicode=True)
    return {"kubernetes.yaml": File(text)}


def _made_before(plan: Plan) -> Iterator[str]:
    """The commands for what is not in the manifests, because it is secret."""
    where = namespace(plan)
    wanted = []
    if plan.secrets:
        sources = " ".join(f"--from-file={secret.name}=FILE" for secret in plan.secrets)
        wanted.append(f"kubectl -n {where} create secret generic {plan.name}-secrets {sources}")
    if plan.tls is not None:
        wanted.append(f"kubectl -n {where} create secret tls {plan.name}-certificate --cert=FILE --key=FILE")
    if wanted:
        yield "Make these first; each FILE is yours:"
        yield f"  kubectl create namespace {where}"
        yield from (f"  {line}" for line in wanted)


def _refuse(plan: Plan) -> None:
    if not plan.has_proxy:
        hint = "Say proxy: nginx; an Ingress in front of it is welcome."
        raise OperatorError("the cluster's own balancers know nothing of sessions", where="proxy", hint=hint)
    ingress = plan.spec.kubernetes.ingress
    if ingress is not None and ingress.tls_secret is not None and (plan.tls is not None or plan.site.scheme != "https"):
        hint = "Say public.scheme: https and tls: off."
        raise OperatorError("the Ingress ends TLS", where="kubernetes.ingress.tls_secret", hint=hint)
    if plan.tls is not None and plan.tls.mode != "files":
        hint = "Say tls: off and let an Ingress do it, or tls.mode: files."
        raise OperatorError(f"pods get no certificates by {plan.tls.mode}", where="tls.mode", hint=hint)


def with_pods_names(plan: Plan) -> Plan:
    """The plan with instances that are called, reached and routed as their pods are."""
    return replace(plan, pools=tuple(_pool_of_pods(plan, pool) for pool in plan.pools))


def _pool_of_pods(plan: Plan, pool: Pool) -> Pool:
    def pod(number: int, instance: Instance) -> Instance:
        name = f"{_set_name(plan, pool)}-{number}"
        flags = list(instance.flags)
        if instance.route is not None:
            flags[flags.index("--route") + 1] = "$(POD_NAME)"
        route = name if instance.route is not None else None
        return replace(instance, name=name, route=route, address=name, flags=tuple(flags))

    return replace(pool, instances=tuple(pod(number, each) for number, each in enumerate(pool.instances)))


def _set_name(plan: Plan, pool: Pool) -> str:
    return pool.name.lower().replace("_", "-") if pool.name != plan.name else f"{plan.name}-app"


def objects(plan: Plan) -> Iterator[Object]:
    """Every object, in an order in which they can be made."""
    yield {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace(plan), "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }  # fmt: skip
    yield from valkey(plan, tuple(_set_name(plan, pool) for pool in plan.pools))
    for pool in plan.pools:
        yield from _of_pool(plan, pool)
    yield from front(plan)


def _of_pool(plan: Plan, pool: Pool) -> Iterator[Object]:
    name = _set_name(plan, pool)
    selector = labels(plan, name)
    port = {"name": "http", "port": CONTAINER_PORT, "targetPort": "http"}
    # An instance that drains is still asked for its sessions, hence addresses that are not ready.
    common = {"publishNotReadyAddresses": True, "ports": [port]}
    yield make(plan, "v1", "Service", name, {"clusterIP": "None", "selector": selector, **common})
    for instance in pool.instances:
        own = {"statefulset.kubernetes.io/pod-name": instance.name}
        yield make(plan, "v1", "Service", instance.name, {"selector": own, **common})
    secrets: list[Object] = []
    if plan.secrets:
        secrets.append({"name": "secrets", "secret": {"secretName": f"{plan.name}-secrets"}})
    yield make(plan, "apps/v1", "StatefulSet", name, {
        "serviceName": name,
        "replicas": len(pool.instances),
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
    if plan.spec.kubernetes.prometheus is not None:
        yield make(plan, "monitoring.coreos.com/v1", "PodMonitor", name, {
            "selector": {"matchLabels": selector},
            "podMetricsEndpoints": [{
                "port": "http", "path": "/metrics",
                # As the target prometheus names them on hosts: alerts and dashboard are the same.
                "relabelings": [
                    {"targetLabel": "deployment", "replacement": plan.name},
                    {"targetLabel": "pool", "replacement": pool.name},
                    {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"},
                ],
            }],
        })  # fmt: skip


def _callers(plan: Plan) -> Iterator[Object]:
    """Who may reach an instance."""
    yield {"podSelector": {"matchLabels": labels(plan, proxy_name(plan))}}
    if plan.spec.kubernetes.prometheus is not None:
        named = {"kubernetes.io/metadata.name": plan.spec.kubernetes.prometheus}
        yield {"namespaceSelector": {"matchLabels": named}}


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
    words = (*manager_words(plan), *first.apps, *first.flags, *_metrics(plan))
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
