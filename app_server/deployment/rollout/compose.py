"""Roll-outs with compose, on one machine: `app-server deploy compose`.

A release is a folder with compose.yaml, what the proxy's image is built with, and the images by their contents. The new
release is built and tried beside the old one: its proxy reads its configuration, one instance of each pool starts. Only
then one instance after another is drained, stopped and replaced, and has to be healthy before the next one's turn
comes. When one is not, the old release takes its place again.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.contents import build, configure, for_volume, image_names, write_release
from app_server.deployment.rollout.history import recorded
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.preconditions import check_preconditions, refuse_taken_port
from app_server.deployment.rollout.preflight import run_preflight
from app_server.deployment.rollout.rolling import roll
from app_server.deployment.rollout.steps import ago
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

TARGET = "compose"
KEPT_RELEASES = 5

NO_HOOKS = RolloutHooks(None)


def deploy(
    plan: Plan, store: Store, folder: Path, progress: Progress, *, everything: bool = False,
    hooks: RolloutHooks = NO_HOOKS,
) -> int:  # fmt: skip
    """Roll out what the plan says; 0, or 1 if the hook after it failed. Relative paths begin in `folder`."""
    docker.require()
    check_preconditions(plan, folder)
    hooks.look()
    with store.locked():
        number = max([*store.releases(), 0]) + 1
        place = store.path(number)
        progress(f"release {number} of {plan.name}")
        with (
            recorded(store.folder, TARGET, "deploy", folder, str(number)),
            hooks.around(progress, release=str(number)),
        ):
            try:
                write_release(for_volume(plan), place)
                build(plan, place, folder, progress)
                configure(plan, place, folder)
                refuse_taken_port(plan)
                run_preflight(plan, place, folder, progress)
                roll(plan.name, store, number, folder, progress, everything=everything)
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
        store.note(f"release {number}")
        forget_old(store)
    progress(f"release {number} is served at {plan.site.url}")
    return 0 if hooks.after(progress, release=str(number)) else 1


def roll_back(name: str, store: Store, folder: Path, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS) -> int:
    """Restore the previous release; 0, or 1 if the hook after it failed."""
    docker.require()
    hooks.look()
    with store.locked():
        current = store.current()
        # Older versions kept those of all environments in one store.
        same = [] if current is None else [number for number in store.releases() if store.is_alike(number, current)]
        before = ago(same, current)
        if current is None or before is None:
            hint = "`app-server deploy compose` creates one."
            raise OperatorError("there is no earlier release", where=str(store.folder), hint=hint)
        progress(f"{name}: from release {current} back to {before}")
        with (
            recorded(store.folder, TARGET, "rollback", None, str(before)),
            hooks.around(progress, release=str(before)),
        ):
            roll(name, store, before, folder, progress)
        store.note(f"back from release {current} to {before}")
        # What was taken back is not what the next --rollback should lead to.
        shutil.rmtree(store.path(current), ignore_errors=True)
    return 0 if hooks.after(progress, release=str(before)) else 1


def forget_old(store: Store) -> None:
    """Remove the releases of long ago, and the names of images that no release has any more."""
    kept = store.releases()[-KEPT_RELEASES:]
    names = {number: image_names(store.path(number)) for number in store.releases()}
    still = {image for number in kept for image in names[number]}
    for number in store.releases():
        if number in kept:
            continue
        for image in names[number] - still:
            with suppress(OperatorError):
                docker.run("rmi", image)
        shutil.rmtree(store.path(number), ignore_errors=True)
