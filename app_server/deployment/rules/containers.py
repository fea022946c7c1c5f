"""The images of containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.deployment.contained import is_base
from app_server.deployment.plan.values import Plan
from app_server.deployment.rules.verdict import Rule, RuleVerdict, fault


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


RULES: Final[tuple[Rule, ...]] = (bases_are_no_products,)
