"""A release started beside the running one, before anything is replaced."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from app_server.deployment.plan.values import Plan, Pool
from app_server.deployment.progress.progress import Progress
from app_server.deployment.render.containers import certbot
from app_server.deployment.rollout import proxy
from app_server.deployment.rollout.contents import project
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.rolling import start
from app_server.deployment.rollout.steps import PROXY
from app_server.errors import OperatorError


def run_preflight(plan: Plan, place: Path, folder: Path, progress: Progress) -> None:
    """Try the new release beside the running one: the proxy's check of its configuration, an instance of each pool."""
    candidate = project(preflight_project(plan.name), place, folder)
    try:
        _check_configuration(plan, place, candidate, progress)
        for pool in plan.pools:
            _try_pool(pool, candidate, progress)
    finally:
        with suppress(OperatorError):
            candidate.compose("down", "--volumes", "--timeout", "1")


def _check_configuration(plan: Plan, place: Path, candidate: Project, progress: Progress) -> None:
    configuration = proxy.configuration_of(place)
    if configuration is None:
        return
    with progress.step("preflight: the proxy reads its configuration"):
        if certbot.wanted(plan):
            candidate.compose("run", "--rm", "--no-deps", "--no-TTY", certbot.SERVICE, certbot.STAND_IN)
        proxy.fill(candidate, configuration)
        words = ("run", "--rm", "--no-deps", "--no-TTY", PROXY, *configuration.program.check)
        candidate.compose(*words, where=f"{plan.spec.proxy.kind}'s configuration")


def _try_pool(pool: Pool, candidate: Project, progress: Progress) -> None:
    service = f"app-{pool.instances[0].name}"
    with progress.step(f"preflight: {service} starts"):
        start(candidate, service, "does not start")
    # Builds a session of each application, as a visitor does.
    paths = [app.sample for app in pool.apps]
    with progress.step(f"preflight: {', '.join(paths)} {'answer' if paths[1:] else 'answers'}"):
        try:
            candidate.compose("exec", "--no-TTY", service, "healthcheck", *paths)
        except OperatorError as error:
            what = f"{error.what}: {candidate.log_of(service)}"
            raise OperatorError(what, where=service, hint="Nothing was replaced.") from None


def preflight_project(name: str) -> str:
    """The project of a preflight. No deployment can have this name: those begin with a letter."""
    return f"0-preflight-{name}"
