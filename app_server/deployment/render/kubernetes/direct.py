"""Instances that an Ingress or a Gateway reaches without our proxy: a rule for each, by the route in pages' addresses.

A page's addresses begin with `/_i/` and its pod's name, and the rule for that path leads to the pod's own Service: the
page's socket meets the pod that made it, without cookies. All other paths lead to whichever pod is ready.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app_server.deployment.plan.defaults import CONTAINER_PORT
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.kubernetes.objects import Object, labels, make
from app_server.errors import OperatorError

# What the Gateway API allows in one HTTPRoute. Several of the same hosts are taken together.
MOST_RULES: Final = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests below a path, and the Service that answers them."""

    path: str
    service: str


def refuse_direct(plan: Plan) -> None:
    """OperatorError for what does not work without our proxy; the rules find what has no effect without any."""
    cluster = plan.spec.kubernetes
    if cluster.ingress is None and cluster.gateway is None:
        hint = "Say proxy: nginx; an Ingress in front of it is welcome."
        raise OperatorError("the cluster's own balancers know nothing of sessions", where="proxy", hint=hint)
    if not cluster.callers:
        hint = "Name the namespace of the Ingress controller's or Gateway's pods."
        raise OperatorError("only these may reach instances without a proxy", where="kubernetes.callers", hint=hint)
    if plan.tls is not None:
        hint = "Say public.scheme: https and tls: off."
        raise OperatorError("without a proxy, the Ingress or Gateway ends TLS", where="tls", hint=hint)
    if cluster.autoscale is not None:
        what = "a page whose instance has been stopped finds another one only through the proxy"
        raise OperatorError(what, where="kubernetes.autoscale", hint="Say proxy: nginx.")


def pages_name(name: str) -> str:
    """The name of the Service that leads to whichever pod of a StatefulSet is ready."""
    return f"{name}-pages"


def pages(plan: Plan, name: str) -> Iterator[Object]:
    """That Service, without a proxy of ours. A pod that drains is not ready, and gets no new pages."""
    if not plan.has_proxy:
        port = {"name": "http", "port": CONTAINER_PORT, "targetPort": "http"}
        yield make(plan, "v1", "Service", pages_name(name), {"selector": labels(plan, name), "ports": [port]})


def rules(plan: Plan, names: dict[str, str]) -> Iterator[Rule]:
    """The rules for all paths; `names` has the StatefulSet of each pool. The longest path that fits applies."""
    for instance in plan.instances:
        if instance.route is not None:
            yield Rule(f"/_i/{instance.route}/", instance.name)
    for pool in plan.pools:
        if not pool.is_main:
            yield from (Rule(app.mount, pages_name(names[pool.name])) for app in pool.apps)
    yield Rule(plan.site.prefix or "/", pages_name(names[plan.main_pool.name]))


def in_routes(found: list[Rule]) -> Iterator[list[Rule]]:
    """The rules of each HTTPRoute."""
    for begin in range(0, len(found), MOST_RULES):
        yield found[begin : begin + MOST_RULES]
