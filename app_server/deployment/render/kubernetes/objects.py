"""What every manifest is made of: names, labels, pods, and the security context of the standard "restricted"."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from app_server.deployment.plan.values import Plan

Object: TypeAlias = dict[str, Any]

# Until every node knows that a pod is on its way out.
PRE_STOP_S = 3
TMP = "64Mi"
POOL_LABEL: Final = "app-server/pool"
"""The label of a pool's own Service, which the Services of its instances do not have."""
APP_UID, PROXY_UID, GROUP_ID = 10001, 10002, 10001
# What the standard "restricted" asks for, and a root that cannot be written.
CONTAINER_SECURITY: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


def namespace(plan: Plan) -> str:
    """The namespace of all that the deployment has."""
    return plan.spec.containers.namespace or plan.name


def labels(plan: Plan, name: str) -> dict[str, str]:
    """By what the pods of one kind are found."""
    return {"app.kubernetes.io/part-of": plan.name, "app.kubernetes.io/name": name}


def proxy_name(plan: Plan) -> str:
    """The name of the proxy's objects."""
    return f"{plan.name}-proxy"


def make(plan: Plan, version: str, kind: str, name: str, spec: Object | None, **more: Any) -> Object:
    """An object of the deployment; `annotations` and `labels` go to its metadata, all else beside its spec."""
    own_labels = {"app.kubernetes.io/part-of": plan.name, **more.pop("labels", {})}
    metadata: Object = {"name": name, "namespace": namespace(plan), "labels": own_labels}
    if annotations := more.pop("annotations", None):
        metadata["annotations"] = dict(annotations)
    said = {} if spec is None else {"spec": spec}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **said, **more}


def pod(plan: Plan, name: str, user: int, container: Object, volumes: list[Object]) -> Object:
    """The spec of a pod with one container, which has a small /tmp."""
    cluster = plan.spec.kubernetes
    security: Object = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if not cluster.assigned_users:
        security |= {"runAsUser": user, "runAsGroup": GROUP_ID, "fsGroup": GROUP_ID}
    grace_s = plan.spec.containers.grace_s or plan.stop_timeout_s
    found: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": round(grace_s) + PRE_STOP_S,
        "securityContext": security,
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": TMP}}, *volumes],
    }
    if cluster.image_pull_secrets:
        found["imagePullSecrets"] = [{"name": secret} for secret in cluster.image_pull_secrets]
    if cluster.spread:
        found["topologySpreadConstraints"] = [
            _spread(plan, name, by) for by in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
    return found


def _spread(plan: Plan, name: str, by: str) -> Object:
    """Apart where that is possible; a cluster with one node runs all of them all the same."""
    return {
        "maxSkew": 1,
        "topologyKey": by,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels(plan, name)},
    }


def literal(text: str) -> str:
    """Text in which Kubernetes finds no variable: `$(NAME)` is one, and `$$` stands for `$`."""
    return text.replace("$", "$$")
