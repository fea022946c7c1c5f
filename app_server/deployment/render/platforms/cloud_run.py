"""The service of Google Cloud Run, as `gcloud run services replace` reads it (Knative's Service)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.platforms.contract import (
    Platform,
    own_secrets,
    secret_name,
    secrets_of_applications,
    variables,
    words,
)
from app_server.deployment.render.platforms.documents import document

CLOUD_RUN: Final = Platform("Cloud Run", grace_s=10, names="[a-z]([a-z0-9-]{0,47}[a-z0-9])?")
PORT: Final = 8080
SECRETS: Final = "/run/secrets/app"
# The longest that a request may take, and a WebSocket is one: then the page reconnects.
LONGEST_S: Final = 3600
# The most requests at a time that an instance may have; each open page is one.
MOST_REQUESTS: Final = 1000
# Requests of pages and files beside the open sockets.
SPARE_REQUESTS: Final = 20


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; a platform must be requested."""
    return False


def render(plan: Plan) -> Files:
    """service.yaml, with the commands for its secrets in the first lines."""
    return {"cloud-run/service.yaml": File(document(plan, "cloud-run", _service(plan), *_commands(plan)))}


def _commands(plan: Plan) -> Iterator[str]:
    if plan.secrets:
        yield "Make these first, and let the service's account read them; each FILE is yours:"
        for secret in plan.secrets:
            yield f"  gcloud secrets create {secret_name(plan, secret)} --data-file=FILE"
    yield "Then:"
    yield "  gcloud run services replace service.yaml"


def _service(plan: Plan) -> dict[str, Any]:
    prefix, (of_pod, of_container) = plan.site.prefix, _mounted(plan)
    container = {
        "image": plan.contained.product,
        "args": list(words(plan, CLOUD_RUN)),
        "ports": [{"name": "http1", "containerPort": PORT}],
        "env": [*({"name": name, "value": value} for name, value in variables(plan).items()), *_secrets(plan)],
        "resources": {"limits": {"cpu": f"{plan.spec.containers.cpus or 1:g}",
                                 "memory": f"{plan.spec.containers.memory_mb}Mi"}},
        "startupProbe": {"httpGet": {"path": f"{prefix}/healthz"}, "periodSeconds": 2, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": f"{prefix}/healthz"}, "periodSeconds": 30, "failureThreshold": 3},
        **of_container,
    }  # fmt: skip
    most = plan.spec.sessions.max_sessions
    annotations = {
        "run.googleapis.com/sessionAffinity": "true",
        "autoscaling.knative.dev/minScale": "1",
        "autoscaling.knative.dev/maxScale": str(len(plan.instances)),
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": plan.name},
        "spec": {"template": {
            "metadata": {"annotations": annotations},
            "spec": {
                "containerConcurrency": min(MOST_REQUESTS, most + SPARE_REQUESTS) if most else MOST_REQUESTS,
                "timeoutSeconds": LONGEST_S,
                "containers": [container],
                **of_pod,
            },
        }},
    }  # fmt: skip


def _secrets(plan: Plan) -> Iterator[dict[str, Any]]:
    for secret in own_secrets(plan):
        source = {"secretKeyRef": {"name": secret_name(plan, secret), "key": "latest"}}
        yield {"name": secret.variable, "valueFrom": source}
    file = secrets_of_applications(plan)
    if file is not None:
        yield {"name": f"{file.variable}_FILE", "value": f"{SECRETS}/{file.name}"}


def _mounted(plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the pod and the container have for the file of the applications' variables; nothing without one."""
    file = secrets_of_applications(plan)
    if file is None:
        return {}, {}
    source = {"secretName": secret_name(plan, file), "items": [{"key": "latest", "path": file.name}]}
    mount = {"name": file.name, "mountPath": SECRETS, "readOnly": True}
    return {"volumes": [{"name": file.name, "secret": source}]}, {"volumeMounts": [mount]}
