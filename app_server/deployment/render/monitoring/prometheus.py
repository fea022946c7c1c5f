"""The instances' addresses for Prometheus, as its file_sd_configs reads them."""

from __future__ import annotations

from typing import Any

import yaml

from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.monitoring.queries import need_metrics
from app_server.deployment.render.templates import comments
from app_server.errors import OperatorError


def wanted(plan: Plan) -> bool:
    """Whether the instances have metrics, and addresses that Prometheus can ask."""
    return plan.has_metrics and all(instance.unix_socket is None for instance in plan.instances)


def render(plan: Plan) -> Files:
    """One file, which Prometheus reads again whenever it changes."""
    need_metrics(plan)
    text = comments(plan, "prometheus")
    found = [_group(plan, instance) for instance in plan.instances]
    text += yaml.safe_dump(found, sort_keys=False, width=10_000, allow_unicode=True)
    path = f"/etc/prometheus/targets/{plan.name}.yml"
    return {f"prometheus/{plan.name}.targets.yml": File(text, install=path)}


def _group(plan: Plan, instance: Instance) -> dict[str, Any]:
    """The target of one instance; it is known by its name, wherever it listens."""
    if instance.unix_socket is not None:
        raise OperatorError(
            f"instance {instance.name} listens on a Unix socket, which Prometheus cannot ask",
            where="instances.socket_dir",
            hint="Remove it; then instances listen on ports.",
        )
    labels = {"deployment": plan.name, "instance": instance.name, "pool": instance.pool}
    if instance.host:
        labels["host"] = instance.host
    return {"targets": [instance.server], "labels": labels}
