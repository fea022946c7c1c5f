"""An Azure Container App, as `az containerapp create --yaml` reads it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from app_server.deployment.plan.defaults import CONTAINER_PORT
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

AZURE: Final = Platform("Azure Container Apps", names="(?!.*--)[a-z][a-z0-9-]{0,30}[a-z0-9]")
# Memory is given by halves of a gibibyte, with half as many processors.
STEP_MB: Final = 512
STEP_CPUS: Final = 0.25


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; a platform must be requested."""
    return False


def render(plan: Plan) -> Files:
    """containerapp.yaml, with the commands for its environment and secrets in the first lines."""
    return {"azure/containerapp.yaml": File(document(plan, "azure", _application(plan), *_commands(plan)))}


def _commands(plan: Plan) -> Iterator[str]:
    yield "GROUP and ENVIRONMENT are yours:"
    yield f"  az containerapp create -n {plan.name} -g GROUP --environment ENVIRONMENT --yaml containerapp.yaml"
    own, set_them = own_secrets(plan), f"  az containerapp update -n {plan.name} -g GROUP --set-env-vars"
    if plan.secrets:
        yield "Secrets come after it, and restart it; each FILE is yours:"
    if own:
        values = " ".join(f'{secret_name(plan, each)}="$(cat FILE)"' for each in own)
        named = " ".join(f"{each.variable}=secretref:{secret_name(plan, each)}" for each in own)
        yield f"  az containerapp secret set -n {plan.name} -g GROUP --secrets {values}"
        yield f"{set_them} {named}"
    if secrets_of_applications(plan) is not None:
        yield f"The same for each variable of the file in service.secrets, such as {plan.name}-name for NAME:"
        yield f"  az containerapp secret set -n {plan.name} -g GROUP --secrets {plan.name}-name=VALUE"
        yield f"{set_them} NAME=secretref:{plan.name}-name"


def _application(plan: Plan) -> dict[str, Any]:
    spec = plan.spec.containers
    steps = max(math.ceil(spec.memory_mb / STEP_MB), math.ceil((spec.cpus or 0) / STEP_CPUS))
    container = {
        "name": "app",
        "image": plan.contained.product,
        "args": list(words(plan, AZURE)),
        "env": [{"name": name, "value": value} for name, value in variables(plan).items()],
        "resources": {"cpu": steps * STEP_CPUS, "memory": f"{steps * STEP_MB / 1024:g}Gi"},
        "probes": [
            _probe(plan, "Startup", "/healthz", periodSeconds=2, failureThreshold=60),
            _probe(plan, "Liveness", "/healthz", periodSeconds=10, failureThreshold=3),
            _probe(plan, "Readiness", "/readyz", periodSeconds=5, failureThreshold=3),
        ],
    }
    ingress = {
        "external": True, "targetPort": CONTAINER_PORT, "transport": "http", "allowInsecure": False,
        "stickySessions": {"affinity": "sticky"},
    }  # fmt: skip
    return {
        "properties": {
            "configuration": {"activeRevisionsMode": "Single", "ingress": ingress},
            "template": {
                "terminationGracePeriodSeconds": math.ceil(plan.stop_timeout_s),
                "containers": [container],
                # With none, the first visitor waits for a start, and sessions end when the last page is closed.
                "scale": {"minReplicas": 1, "maxReplicas": len(plan.instances)},
            },
        },
    }


def _probe(plan: Plan, kind: str, path: str, **more: int) -> dict[str, Any]:
    return {"type": kind, "httpGet": {"path": plan.site.prefix + path, "port": CONTAINER_PORT}, **more}
