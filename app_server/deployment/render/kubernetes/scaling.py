"""Instances that an autoscaler starts and stops by the number of sessions.

The proxy knows every instance that there may be from the start: each has its Service, whose address answers at once
that nothing is there while its pod does not run. So the proxy needs no new configuration when the number changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app_server.deployment.plan.values import Instance, Plan, Pool
from app_server.deployment.render.kubernetes.objects import Object, make
from app_server.errors import OperatorError

METRIC: Final = "app_server_sessions"
# After a quiet quarter of an hour, people may still come back; moving sessions twice costs more than waiting.
QUIET_S: Final = 900
# Each step moves the sessions of one instance; they need time to arrive elsewhere.
STEP_S: Final = 300

ADAPTER_RULE: Final = f"""\
# For prometheus-adapter: put this into the values of its chart. It is not a manifest.
rules:
  custom:
    - seriesQuery: '{METRIC}{{namespace!="",pod!=""}}'
      resources:
        overrides:
          namespace: {{resource: namespace}}
          pod: {{resource: pod}}
      name: {{as: {METRIC}}}
      metricsQuery: sum(<<.Series>>{{<<.LabelMatchers>>}}) by (<<.GroupBy>>)
"""


def refuse_scaling(plan: Plan) -> None:
    """OperatorError if an autoscaler would lose sessions, or has nothing to go by."""
    wish = plan.spec.kubernetes.autoscale
    if wish is None:
        return
    if not plan.moves_sessions:
        what = "an instance that is stopped when there are few sessions would end those that it has"
        hint = "Save them with sessions.store: valkey."
        raise OperatorError(what, where="kubernetes.autoscale", hint=hint)
    if plan.spec.kubernetes.prometheus is None:
        what = "an autoscaler gets the number of sessions from Prometheus"
        hint = "Name its namespace with kubernetes.prometheus."
        raise OperatorError(what, where="kubernetes.autoscale", hint=hint)
    most = max(len(pool.instances) for pool in plan.pools)
    if wish.max <= most:
        hint = f"Write {most + 1} or more, or remove kubernetes.autoscale."
        raise OperatorError(f"there are {most} instances anyway", where="kubernetes.autoscale.max", hint=hint)


def scaled(plan: Plan) -> bool:
    """Whether an autoscaler chooses the number of instances."""
    return plan.spec.kubernetes.autoscale is not None


def with_spares(plan: Plan, pool: Pool) -> Pool:
    """The pool with all instances that there may be at most; the plan's, without an autoscaler."""
    wish = plan.spec.kubernetes.autoscale
    if wish is None:
        return pool
    always = tuple(map(_routed, pool.instances))
    spares = wish.max - len(always)
    return replace(pool, instances=(*always, *[always[-1]] * spares), spares=spares)


def _routed(instance: Instance) -> Instance:
    """The instance with a route: a single one has none until there may be others. The pod's name replaces it."""
    if instance.route is not None:
        return instance
    return replace(instance, route=instance.name, flags=("--route", instance.name, *instance.flags))


def autoscaler(plan: Plan, name: str, pool: Pool) -> Iterator[Object]:
    """The HorizontalPodAutoscaler of a pool's StatefulSet `name`, if the deployment asks for one."""
    wish = plan.spec.kubernetes.autoscale
    if wish is None:
        return
    yield make(plan, "autoscaling/v2", "HorizontalPodAutoscaler", name, {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name},
        "minReplicas": len(pool.instances) - pool.spares,
        "maxReplicas": len(pool.instances),
        "metrics": [{
            "type": "Pods",
            "pods": {
                "metric": {"name": METRIC},
                "target": {"type": "AverageValue", "averageValue": str(wish.sessions)},
            },
        }],
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 0},
            "scaleDown": {
                "stabilizationWindowSeconds": QUIET_S,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": STEP_S}],
            },
        },
    })  # fmt: skip
