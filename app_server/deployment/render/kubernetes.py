"""Manifests for Kubernetes: instances as a StatefulSet, so that each keeps its name, and the proxy in front.

Each instance has a Service of its own, whose address stays when its pod is replaced: nginx asks for a name's address
only when it starts. The pod's name is the route in its pages' addresses. Secrets and the certificate are named, and
made by somebody else.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import yaml

from app_server.deployment.plan import CONTAINER_PORT, Instance, Plan, Pool
from app_server.deployment.render import File, Files
from app_server.deployment.render import render as render_target
from app_server.deployment.render.compose import manager_words
from app_server.deployment.render.templates import header
from app_server.errors import OperatorError

Object: TypeAlias = dict[str, Any]

# Until every node knows that a pod is on its way out.
PRE_STOP_S = 3
PROXY_REPLICAS = 2
TMP = "64Mi"
# What the standard "restricted" asks for, and a root that cannot be written.
CONTAINER_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; whoever wants containers asks for them."""
    return False


def render(plan: Plan) -> Files:
    """One file for `kubectl apply -f`."""
    _refuse(plan)
    plan = with_pods_names(plan)
    text = "".join(f"# {line}\n" for line in header(plan, "kubernetes"))
    text += yaml.safe_dump_all(list(objects(plan)), sort_keys=False, width=10_000, allow_unicode=True)
    return {"kubernetes.yaml": File(text)}


def _refuse(plan: Plan) -> None:
    if not plan.has_proxy:
        hint = "Say proxy: nginx; an Ingress in front of it is welcome."
        raise OperatorError("the cluster's own balancers know nothing of sessions", where="proxy", hint=hint)
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
    namespace = plan.spec.containers.namespace or plan.name
    yield {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }  # fmt: skip
    for pool in plan.pools:
        yield from _of_pool(plan, pool)
    yield from _of_proxy(plan)


def _of_pool(plan: Plan, pool: Pool) -> Iterator[Object]:
    name = _set_name(plan, pool)
    labels = {"app.kubernetes.io/part-of": plan.name, "app.kubernetes.io/name": name}
    port = {"name": "http", "port": CONTAINER_PORT, "targetPort": "http"}
    # An instance that drains is still asked for its sessions, hence addresses that are not ready.
    common = {"publishNotReadyAddresses": True, "ports": [port]}
    yield _object(plan, "v1", "Service", name, {"clusterIP": "None", "selector": labels, **common})
    for instance in pool.instances:
        selector = {"statefulset.kubernetes.io/pod-name": instance.name}
        yield _object(plan, "v1", "Service", instance.name, {"selector": selector, **common})
    yield _object(plan, "apps/v1", "StatefulSet", name, {
        "serviceName": name,
        "replicas": len(pool.instances),
        # All at once at the start; an update still replaces one after another.
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod(plan, 10001, [_instance(plan, pool)])},
    })  # fmt: skip
    yield _object(plan, "policy/v1", "PodDisruptionBudget", name, {
        "maxUnavailable": 1, "selector": {"matchLabels": labels},
    })  # fmt: skip
    yield _object(plan, "networking.k8s.io/v1", "NetworkPolicy", name, {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [{"podSelector": {"matchLabels": _proxy_labels(plan)}}],
            "ports": [{"port": CONTAINER_PORT, "protocol": "TCP"}],
        }],
    })  # fmt: skip


def _instance(plan: Plan, pool: Pool) -> Object:
    spec = plan.spec.containers
    first = pool.instances[0]
    limits: Object = {"memory": f"{spec.memory_mb}Mi"}
    if spec.cpus is not None:
        limits["cpu"] = f"{spec.cpus:g}"
    environment: list[Object] = [
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *({"name": f"{s.variable}_FILE", "value": f"/run/secrets/app/{s.name}"} for s in plan.secrets),
        *({"name": key, "value": _literal(value)} for key, value in plan.spec.service.environment.items()),
    ]
    # What is no variable of ours must not become one.
    words = (*manager_words(plan), *first.apps, *first.flags)
    words = tuple(word if word == "$(POD_NAME)" else _literal(word) for word in words)
    mounts = [{"name": "tmp", "mountPath": "/tmp"}]
    if plan.secrets:
        mounts.append({"name": "secrets", "mountPath": "/run/secrets/app"})
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


def _literal(text: str) -> str:
    """Text in which Kubernetes finds no variable: $(...) is one, $$(...) stands for itself."""
    return text.replace("$(", "$$(")


def _probe(plan: Plan, path: str, **more: int) -> Object:
    return {"httpGet": {"path": plan.site.prefix + path, "port": "http"}, **more}


def _proxy_labels(plan: Plan) -> Mapping[str, str]:
    return {"app.kubernetes.io/part-of": plan.name, "app.kubernetes.io/name": f"{plan.name}-proxy"}


def _of_proxy(plan: Plan) -> Iterator[Object]:
    kind, name = plan.spec.proxy.kind, f"{plan.name}-proxy"
    labels = dict(_proxy_labels(plan))
    files = {path.rpartition("/")[2]: file for path, file in render_target(kind, plan).items()}
    data = {path: file.text for path, file in files.items()}
    yield _object(plan, "v1", "ConfigMap", name, None, data=data)
    ports = [("http", plan.listen_http, 80)]
    if plan.tls is not None:
        ports.append(("https", plan.listen_https, 443))
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]
    mounts += [
        {"name": "configuration", "mountPath": str(file.install), "subPath": path} for path, file in files.items()
    ]
    # While this map is there, new pages get a notice: it holds the file `maintenance`.
    closed = {"name": f"{plan.name}-maintenance", "optional": True}
    mounts.append({"name": "closed", "mountPath": posixpath.dirname(plan.maintenance_file), "readOnly": True})
    volumes: list[Object] = [
        {"name": "configuration", "configMap": {"name": name}}, {"name": "closed", "configMap": closed},
    ]  # fmt: skip
    if plan.tls is not None:
        mounts.append({"name": "certificate", "mountPath": "/run/secrets"})
        items = [{"key": "tls.crt", "path": "certificate"}, {"key": "tls.key", "path": "certificate_key"}]
        volumes.append({"name": "certificate", "secret": {"secretName": f"{plan.name}-certificate", "items": items}})
    container = {
        "name": "proxy",
        "image": plan.spec.containers.images.proxy or f"app-server-{kind}:latest",
        "ports": [{"name": port, "containerPort": inside} for port, inside, _ in ports],
        "readinessProbe": {"exec": {"command": ["healthcheck"]}, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "resources": {"requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "512Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    yield _object(plan, "apps/v1", "Deployment", name, {
        "replicas": PROXY_REPLICAS,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod(plan, 10002, [container], volumes)},
    })  # fmt: skip
    yield _object(plan, "v1", "Service", name, {
        "selector": labels,
        "ports": [{"name": port, "port": outside, "targetPort": port} for port, _, outside in ports],
    })  # fmt: skip
    yield _object(plan, "policy/v1", "PodDisruptionBudget", name, {
        "maxUnavailable": 1, "selector": {"matchLabels": labels},
    })  # fmt: skip


def _pod(plan: Plan, user: int, containers: list[Object], volumes: list[Object] | None = None) -> Object:
    own: list[Object] = [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": TMP}}, *(volumes or [])]
    if user == 10001 and plan.secrets:
        own.append({"name": "secrets", "secret": {"secretName": f"{plan.name}-secrets"}})
    grace_s = plan.spec.containers.grace_s or plan.stop_timeout_s
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": round(grace_s) + PRE_STOP_S,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": user, "runAsGroup": 10001, "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": containers,
        "volumes": own,
    }  # fmt: skip


def _object(plan: Plan, version: str, kind: str, name: str, spec: Object | None, **more: Any) -> Object:
    namespace = plan.spec.containers.namespace or plan.name
    labels = {"app.kubernetes.io/part-of": plan.name}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    told = {} if spec is None else {"spec": spec}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **told, **more}
