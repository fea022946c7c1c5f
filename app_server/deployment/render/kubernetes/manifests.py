"""Manifests for Kubernetes: instances as a StatefulSet, in which each keeps its name, and the proxy in front.

Secrets and the certificate are referred to by name, and created by the cluster's operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import yaml

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.kubernetes.direct import refuse_direct
from app_server.deployment.render.kubernetes.front import gateway, ingress, proxy
from app_server.deployment.render.kubernetes.monitoring import monitor
from app_server.deployment.render.kubernetes.objects import Object, namespace
from app_server.deployment.render.kubernetes.pods import of_pool, set_name, with_pods_names
from app_server.deployment.render.kubernetes.scaling import autoscaler, refuse_scaling
from app_server.deployment.render.kubernetes.valkey import valkey
from app_server.deployment.render.templates import comments
from app_server.errors import OperatorError

# Services have the narrowest names (RFC 1035).
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


def wanted(plan: Plan) -> bool:
    """`all` is for hosts; containers must be requested."""
    return False


def render(plan: Plan) -> Files:
    """One file for `kubectl apply -f`."""
    text = comments(plan, "kubernetes", *made_before(plan)) + dumped(chain(*parts(plan).values()))
    return {"kubernetes.yaml": File(text)}


def dumped(objects: Iterator[Object] | Sequence[Object]) -> str:
    """Objects as the documents of one YAML file."""
    return yaml.safe_dump_all(list(objects), sort_keys=False, width=10_000, allow_unicode=True)


def made_before(plan: Plan) -> Iterator[str]:
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


def parts(plan: Plan) -> Mapping[str, Sequence[Object]]:
    """Every object by what it is for, in an order in which they can be made; OperatorError for what cannot be."""
    _refuse(plan)
    plan = with_pods_names(plan)
    pools = [(set_name(plan, pool), pool) for pool in plan.pools]
    found: dict[str, Iterator[Object]] = {
        "namespace": _namespace(plan),
        "valkey": valkey(plan, tuple(name for name, _ in pools)),
        "instances": chain(*(of_pool(plan, pool) for _, pool in pools)),
        "monitoring": chain(*(monitor(plan, name, pool) for name, pool in pools)),
        "autoscaling": chain(*(autoscaler(plan, name, pool) for name, pool in pools)),
        "proxy": proxy(plan) if plan.has_proxy else iter(()),
        "ingress": ingress(plan),
        "gateway": gateway(plan),
    }
    listed = {part: tuple(objects) for part, objects in found.items()}
    _check_names(plan, chain(*listed.values()))
    return {part: objects for part, objects in listed.items() if objects}


def _check_names(plan: Plan, objects: Iterable[Object]) -> None:
    """OperatorError for names that a cluster does not take, and for two objects that would be one."""
    seen = set[tuple[str, str]]()
    for name, where in ((plan.name, "name"), (namespace(plan), "containers.namespace")):
        if not _LABEL.fullmatch(name):
            hint = "Use a-z, 0-9 and '-', with a letter or a digit at the end."
            raise OperatorError(f"{name!r} cannot be a name in a cluster", where=where, hint=hint)
    for each in objects:
        kind, name = each["kind"], each["metadata"]["name"]
        if not _LABEL.fullmatch(name):
            hint = "Give the application, or the deployment, a name with a letter or a digit at the end."
            raise OperatorError(f"{name!r} cannot be a name in a cluster", where="apps", hint=hint)
        if (kind, name) in seen:
            hint = "Their applications' names, without case and with '-' for '_', must differ from each other."
            raise OperatorError(f"two objects {kind} would be called {name}", where="apps", hint=hint)
        seen.add((kind, name))


def _namespace(plan: Plan) -> Iterator[Object]:
    yield {
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace(plan), "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }  # fmt: skip


def _refuse(plan: Plan) -> None:
    if not plan.has_proxy:
        refuse_direct(plan)
    wish = plan.spec.kubernetes.ingress
    if wish is not None and wish.tls_secret is not None and (plan.tls is not None or plan.site.scheme != "https"):
        hint = "Say public.scheme: https and tls: off."
        raise OperatorError("the Ingress ends TLS", where="kubernetes.ingress.tls_secret", hint=hint)
    if plan.spec.kubernetes.gateway is not None and plan.tls is not None:
        hint = "Say public.scheme: https and tls: off."
        what = "the Gateway ends TLS, and would speak plain HTTP to a port with TLS"
        raise OperatorError(what, where="kubernetes.gateway", hint=hint)
    if plan.tls is not None and plan.tls.mode != "files":
        hint = "Say tls: off and let an Ingress do it, or tls.mode: files."
        raise OperatorError(f"pods get no certificates by {plan.tls.mode}", where="tls.mode", hint=hint)
    refuse_scaling(plan)
