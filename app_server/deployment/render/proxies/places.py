"""Which applications a proxy sends elsewhere than what is around their addresses."""

from __future__ import annotations

from app_server.deployment.plan.values import App, Plan, Pool


def places(plan: Plan) -> tuple[tuple[App, Pool], ...]:
    """The applications that need a place of their own, each with its pool; what is below another one comes before it.

    These are all that have instances of their own, and those of the main pool that are below one of them.
    """
    own = [(app, pool) for pool in plan.pools if not pool.is_main for app in pool.apps]
    inside = [(app, plan.main_pool) for app in plan.main_pool.apps if any(_is_below(app, other) for other, _ in own)]
    return tuple(sorted((*own, *inside), key=lambda place: -place[0].mount.count("/")))


def _is_below(app: App, other: App) -> bool:
    return app.mount.startswith(f"{other.mount}/")
