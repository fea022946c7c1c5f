"""The images of containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.contained import is_base
from app_server.deployment.plan.site import published_port
from app_server.deployment.plan.values import Plan
from app_server.deployment.render.containers import certbot
from app_server.deployment.rules.verdict import Rule, RuleVerdict, fault, warning

HTTP_PORT: Final = 80


def bases_are_no_products(plan: Plan) -> Iterator[RuleVerdict]:
    """A base image must not contain one site's applications."""
    images, made = plan.spec.containers.images, plan.contained
    if images.app is not None and made.build_context and not made.mount and is_base(images.app):
        what = f"{images.app} is the base of other images, and would contain this site's applications"
        yield fault(("containers", "images", "app"), what, "Remove it, or choose another name.")
    if images.app is not None and images.app == made.base and not made.mount:
        what = f"{images.app} is also the base that it would be built on"
        yield fault(("image", "base"), what, "Give them different names.")
    if images.app is not None and images.app == images.proxy:
        what = f"{images.app} is also the proxy's image"
        yield fault(("containers", "images", "app"), what, "Give them different names.")


def authorities_ask_at_port_80(plan: Plan) -> Iterator[RuleVerdict]:
    """They look for the challenge there, whatever port the site's own address has."""
    port = published_port(plan.spec, "http")
    if certbot.wanted(plan) and port != HTTP_PORT and "acme-v0" in plan.spec.tls.acme.directory:
        what = f"the authority asks for the challenge at port {HTTP_PORT}, and {port} is published"
        yield warning(("containers", "publish", "http"), what, f"Publish {HTTP_PORT}, or forward it to {port}.")


RULES: Final[tuple[Rule, ...]] = (bases_are_no_products, authorities_ask_at_port_80)
