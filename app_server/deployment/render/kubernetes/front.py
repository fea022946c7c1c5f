"""The proxy in a cluster, and what leads people to it: a Service, and perhaps an Ingress or an HTTPRoute."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from app_server.deployment.plan.defaults import CONTAINER_PORT
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File
from app_server.deployment.render import render as render_target
from app_server.deployment.render.containers.compose import place_of
from app_server.deployment.render.kubernetes.direct import Rule, in_routes, rules
from app_server.deployment.render.kubernetes.objects import (
    CONTAINER_SECURITY,
    PRE_STOP_S,
    PROXY_UID,
    Object,
    labels,
    literal,
    make,
    pod,
    proxy_name,
)
from app_server.deployment.render.kubernetes.pods import set_name

PROXY_REPLICAS: Final = 2
CERTIFICATES: Final = "/run/secrets"

RELOADING: Final = """\
folder=$1 stop=$2 reload=$3
shift 3
state() { cat "$folder"/* 2>/dev/null | cksum; }
seen=$(state)
"$@" &
child=$!
trap 'ending=yes; kill -s "$stop" "$child"' TERM QUIT INT WINCH
while [ -z "$ending" ] && kill -0 "$child" 2>/dev/null; do
    sleep 5 & wait $!
    now=$(state)
    if [ "$now" != "$seen" ]; then seen=$now; kill -s "$reload" "$child"; fi
done
wait "$child"
"""
"""A shell's script: run a program, and tell it by a signal that the files of a folder have changed.

A renewed certificate comes into a running pod, and neither nginx nor Apache looks for one by itself. Its arguments are
the folder, the signals to stop and to reload, and the program's own words.
"""

_STARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "nginx": ("QUIT", "HUP", "nginx", "-g", "daemon off;"),
    "apache": ("WINCH", "USR1", "apache2", "-f", "/etc/apache2/apache2.conf", "-DFOREGROUND"),
}
"""How each proxy stops gracefully and reloads, and the command of its image."""


def proxy(plan: Plan) -> Iterator[Object]:
    """The proxy, its configuration and its Service."""
    name = proxy_name(plan)
    files = {path.rpartition("/")[2]: file for path, file in render_target(plan.spec.proxy.kind, plan).items()}
    data = {path: file.text for path, file in files.items()}
    yield make(plan, "v1", "ConfigMap", name, None, data=data)
    yield _deployment(plan, name, files)
    yield make(plan, "v1", "Service", name, {
        "selector": labels(plan, name),
        "ports": [{"name": port, "port": outside, "targetPort": port} for port, _, outside in _ports(plan)],
    })  # fmt: skip
    yield make(plan, "policy/v1", "PodDisruptionBudget", name, {
        "maxUnavailable": 1, "selector": {"matchLabels": labels(plan, name)},
    })  # fmt: skip


def _ports(plan: Plan) -> list[tuple[str, int, int]]:
    """The name of each port, where the proxy listens, and what the Service offers."""
    public = plan.site.port
    if plan.tls is None:
        return [("http", plan.listen_http, public if plan.site.scheme == "http" else 80)]
    return [("http", plan.listen_http, 80), ("https", plan.listen_https, public)]


def _deployment(plan: Plan, name: str, files: Mapping[str, File]) -> Object:
    # A change of the configuration makes new pods: what is mounted file by file is not renewed in a running one.
    digest = sha256("".join(f"{path}\0{file.text}\0" for path, file in sorted(files.items())).encode()).hexdigest()
    # While this map is there, new pages get a notice: it holds the file `maintenance`.
    closed = {"name": f"{plan.name}-maintenance", "optional": True}
    volumes: list[Object] = [
        {"name": "configuration", "configMap": {"name": name}}, {"name": "closed", "configMap": closed},
    ]  # fmt: skip
    if plan.tls is not None:
        items = [{"key": "tls.crt", "path": "certificate"}, {"key": "tls.key", "path": "certificate_key"}]
        volumes.append({"name": "certificate", "secret": {"secretName": f"{plan.name}-certificate", "items": items}})
    template = {
        "metadata": {"labels": labels(plan, name), "annotations": {"app-server/configuration": digest}},
        "spec": pod(plan, name, PROXY_UID, _container(plan, files), volumes),
    }
    return make(plan, "apps/v1", "Deployment", name, {
        "replicas": PROXY_REPLICAS,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "selector": {"matchLabels": labels(plan, name)},
        "template": template,
    })  # fmt: skip


def _container(plan: Plan, files: Mapping[str, File]) -> Object:
    kind = plan.spec.proxy.kind
    mounts: list[Object] = [{"name": "tmp", "mountPath": "/tmp"}]
    mounts += [{"name": "configuration", "mountPath": place_of(file), "subPath": path} for path, file in files.items()]
    mounts.append({"name": "closed", "mountPath": posixpath.dirname(plan.maintenance_file), "readOnly": True})
    found: Object = {
        "name": "proxy",
        "image": plan.spec.containers.images.proxy or f"app-server-{kind}:latest",
        "ports": [{"name": port, "containerPort": inside} for port, inside, _ in _ports(plan)],
        "readinessProbe": {"exec": {"command": ["healthcheck"]}, "periodSeconds": 5, "timeoutSeconds": 5},
        "livenessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 10},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(PRE_STOP_S)]}}},
        "resources": {"requests": {"memory": "64Mi", "cpu": "50m"}, "limits": {"memory": "512Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": mounts,
    }
    if plan.tls is not None:
        mounts.append({"name": "certificate", "mountPath": CERTIFICATES})
        found["command"] = ["/bin/sh", "-c", literal(RELOADING), "sh", CERTIFICATES, *_STARTS[kind]]
    return found


def ingress(plan: Plan) -> Iterator[Object]:
    """The Ingress, if the deployment asks for one."""
    wish = plan.spec.kubernetes.ingress
    if wish is None:
        return
    paths = [
        {"path": rule.path, "pathType": "Prefix",
         "backend": {"service": {"name": rule.service, "port": {"name": _door(plan)}}}}
        for rule in _rules(plan)
    ]  # fmt: skip
    spec: Object = {"rules": [{"host": host, "http": {"paths": paths}} for host in plan.site.hosts]}
    if wish.class_name is not None:
        spec["ingressClassName"] = wish.class_name
    if wish.tls_secret is not None:
        spec["tls"] = [{"hosts": list(plan.site.hosts), "secretName": wish.tls_secret}]
    yield make(plan, "networking.k8s.io/v1", "Ingress", proxy_name(plan), spec, annotations=wish.annotations)


def _door(plan: Plan) -> str:
    """The name of the port of Services that an Ingress forwards to."""
    return "https" if plan.tls is not None else "http"


def _rules(plan: Plan) -> list[Rule]:
    """Which Service answers below which path: the proxy, or the instances themselves."""
    if not plan.has_proxy:
        return list(rules(plan, {pool.name: set_name(plan, pool) for pool in plan.pools}))
    # Sockets find their instance by a path of their own.
    paths = [plan.site.prefix or "/", *(["/_i/"] if plan.site.prefix else [])]
    return [Rule(path, proxy_name(plan)) for path in paths]


def gateway(plan: Plan) -> Iterator[Object]:
    """The HTTPRoute, if the deployment names a Gateway; several if one cannot have all rules."""
    wish, name = plan.spec.kubernetes.gateway, proxy_name(plan)
    if wish is None:
        return
    parent: Object = {"name": wish.name}
    if wish.namespace is not None:
        parent["namespace"] = wish.namespace
    if wish.section is not None:
        parent["sectionName"] = wish.section
    common = {"parentRefs": [parent], "hostnames": list(plan.site.hosts)}
    if plan.has_proxy:
        yield make(plan, "gateway.networking.k8s.io/v1", "HTTPRoute", name, {**common, "rules": [{
            "matches": [_match(rule) for rule in _rules(plan)],
            "backendRefs": [{"name": name, "port": _ports(plan)[-1][2]}],
        }]})  # fmt: skip
        return
    for number, part in enumerate(in_routes(_rules(plan)), 1):
        yield make(plan, "gateway.networking.k8s.io/v1", "HTTPRoute", f"{plan.name}-{number}", {**common, "rules": [
            {"matches": [_match(rule)], "backendRefs": [{"name": rule.service, "port": CONTAINER_PORT}]}
            for rule in part
        ]})  # fmt: skip


def _match(rule: Rule) -> Object:
    return {"path": {"type": "PathPrefix", "value": rule.path}}
