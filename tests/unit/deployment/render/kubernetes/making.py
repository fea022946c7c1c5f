"""Deployments in clusters, and the objects that the target kubernetes makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import render
from tests.support.deployments.yaml_texts import read_documents
from tests.unit.deployment.making import loaded

DEPLOYMENTS = {
    "three": "apps: {a: a.py}\npublic: tools.example.org\ninstances: 3\n",
    "two pools, secrets, TLS": "name: site\napps: {a: a.py, b: {path: b.py, args: [x, '$(HOME)']}}\ninstances: 2\n"
    "public: tools.example.org\ntls: {certificate: /c.pem, key: /k.pem}\nsessions: {ids: signed}\n"
    "secrets: {secret_key: {environment: KEY}}\ncontainers: {cpus: 1.5, namespace: tools}\n",
    "all of a cluster": "apps: {a: a.py}\npublic: {hosts: tools.example.org, scheme: https, prefix: /x}\ninstances: 2\n"
    "kubernetes: {ingress: {class_name: nginx, tls_secret: web, annotations: {a/b: '3600'}}, prometheus: monitoring,"
    " gateway: {name: edge, namespace: infra, section: https}, image_pull_secrets: regcred, assigned_users: yes}\n",
}
DEPLOYMENTS["scaled"] = (
    "apps: {a: a.py}\npublic: tools.example.org\nsessions: {store: valkey}\n"
    "kubernetes: {prometheus: monitoring, monitor: service, autoscale: {max: 3, sessions: 40}}\n"
)
DEPLOYMENTS["without a proxy"] = (
    "name: site\napps: {a: a.py, b: {path: b.py, instances: 2}}\ninstances: 3\nproxy: none\n"
    "public: {hosts: tools.example.org, scheme: https}\n"
    "kubernetes: {ingress: traefik, gateway: edge, callers: [traefik, edge], prometheus: monitoring}\n"
)
DEPLOYMENTS["a Valkey"] = DEPLOYMENTS["two pools, secrets, TLS"].replace(
    "{ids: signed}", "{ids: signed, store: valkey}"
)
CUSTOM = ("HTTPRoute", "PodMonitor", "ServiceMonitor")  # of custom resources, whose schemas are not Kubernetes' own
CLUSTER = DEPLOYMENTS["all of a cluster"].replace("assigned_users", "autoscale: {max: 4, sessions: 30}, assigned_users")
CLUSTER += "sessions: {store: valkey}\n"


def manifests(folder: Path, text: str) -> list[dict[str, Any]]:
    """The objects of a deploy.yaml with this text."""
    plan = resolve_plan(loaded(folder, text), layout="cluster")
    return read_documents(render("kubernetes", plan)["kubernetes.yaml"].text)


def of_kind(kind: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]
