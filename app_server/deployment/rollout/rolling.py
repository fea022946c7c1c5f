"""Bringing what runs to the state of a release, one service after another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker, proxy
from app_server.deployment.rollout.contents import project
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.proxy import Configuration
from app_server.deployment.rollout.steps import PROXY, Step, steps
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError


def start(containers: Project, service: str, what: str, *options: str) -> None:
    """Start or replace one service and wait until it is healthy. OperatorError with the end of its log if it is not."""
    words = ("up", "--detach", "--no-deps", "--no-build", "--wait", "--quiet-pull", *options, service)
    try:
        containers.compose(*words)
    except OperatorError as error:
        raise OperatorError(f"{what}: {containers.log_of(service) or error.what}", where=service) from None


def roll(
    name: str, store: Store, number: int, folder: Path, progress: Progress, *, everything: bool = False
) -> None:
    """Bring what runs to the state of a release. If a service does not become healthy, the old release comes back."""
    new, configuration = project(name, store.path(number), folder), proxy.configuration_of(store.path(number))
    try:
        for step in _steps(new, configuration, everything=everything):
            _report(step, new, configuration, progress, force=everything)
    except OperatorError as error:
        current = store.current()
        if current is not None and current != number:
            progress(f"  {error}")
            progress(f"  going back to release {current}")
            old, configuration = project(name, store.path(current), folder), proxy.configuration_of(store.path(current))
            for step in _steps(old, configuration):
                _report(step, old, configuration, progress)
        elif current is None:
            new.compose("down", "--timeout", "1")
        raise
    store.make_current(number)


_DOING = {
    "keep": "is as it was",
    "start": "starts",
    "replace": "is being replaced",
    "reload": "reads its new configuration",
    "remove": "is being removed",
}
_SAID = {
    "keep": "is as it was",
    "start": "started",
    "replace": "replaced",
    "reload": "has read its new configuration",
    "remove": "removed",
}


def _steps(containers: Project, configuration: Configuration | None, *, everything: bool = False) -> Sequence[Step]:
    running = containers.running()
    reconfigured = PROXY in running and proxy.is_changed(containers, configuration)
    return steps(containers.hashes(), running, everything=everything, reconfigured=reconfigured)


def _report(
    step: Step, containers: Project, configuration: Configuration | None, progress: Progress, *, force: bool = False
) -> None:
    """Do a step, and say so."""
    done = f"{step.service:<12} {_SAID[step.kind]}"
    if step.kind == "keep":
        progress(f"  {done}")
        return
    with progress.step(f"{step.service:<12} {_DOING[step.kind]}", done):
        _take(step, containers, configuration, force=force)


def _take(step: Step, containers: Project, configuration: Configuration | None, *, force: bool = False) -> None:
    if step.service == PROXY and configuration is not None:
        if step.kind == "reload":
            proxy.reload(containers, configuration)
        elif step.kind in ("start", "replace"):
            proxy.fill(containers, configuration)
    if step.kind in ("start", "replace"):
        start(containers, step.service, "did not become healthy", *(("--force-recreate",) if force else ()))
    elif step.kind == "remove":
        listed = docker.run(
            "ps", "--all", "--quiet",
            "--filter", f"label=com.docker.compose.project={containers.name}",
            "--filter", f"label=com.docker.compose.service={step.service}",
        ).split()  # fmt: skip
        for container in listed:
            # `stop` gives it the time that its own compose.yaml has stated.
            docker.run("stop", container, of_what_is_left=True)
            docker.run("rm", container, of_what_is_left=True)
