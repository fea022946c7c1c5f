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
from app_server.deployment.releases import kept
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.contents import build, configure, for_volume, image_names, write_release
from app_server.deployment.rollout.history import read, recorded
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.preconditions import check_preconditions, mounted, refuse_taken_port
from app_server.deployment.rollout.preflight import run_preflight
from app_server.deployment.rollout.rolling import roll
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

TARGET = "compose"
KEPT_RELEASES = 5

NO_HOOKS = RolloutHooks(None)


def deploy(
    plan: Plan, store: Store, folder: Path, progress: Progress, *, everything: bool = False,
    hooks: RolloutHooks = NO_HOOKS, called: str = "", pulls: bool = False,
) -> int:  # fmt: skip
    """Roll out what the plan says; 0, or 1 if the hook after it failed. Relative paths begin in `folder`.

    With `pulls`, images that are not built come from their registry, whether they are here or not. `called` is the
    name of the release, "" for one that has only a number.
    """
    docker.require()
    check_preconditions(plan, folder)
    hooks.look()
    if (host := docker.elsewhere()) is not None:
        seen = ", ".join(mounted(plan))
        progress(f"the engine is at {host}" + (f", and reads there: {seen}" if seen else ""))
    with store.locked():
        kept.refuse_used(called, releases(store))
        number = kept.next_number(read(store.folder), TARGET, store.releases())
        place = store.path(number)
        progress(f"release {kept.shown_as(str(number), called)} of {plan.name}")
        with (
            recorded(store.folder, TARGET, "deploy", folder, str(number), called),
            hooks.around(progress, release=str(number)),
        ):
            try:
                write_release(for_volume(plan), place)
                build(plan, place, folder, progress, pulls=pulls)
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


def releases(store: Store) -> list[kept.KeptRelease]:
    """The releases of the current one's environment, the earliest first."""
    current = store.current()
    # Older versions kept those of all environments in one store.
    same = [] if current is None else [number for number in store.releases() if store.is_alike(number, current)]
    return kept.of_history(read(store.folder), TARGET, same, current)


def roll_back(
    name: str, store: Store, folder: Path, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, to: str = ""
) -> int:
    """Restore the release that `to` means, or the previous one; 0, or 1 if the hook after it failed."""
    docker.require()
    hooks.look()
    with store.locked():
        current = store.current()
        known = releases(store)
        before = kept.way_back(known, to, kept.served_before(read(store.folder), TARGET, known))
        if current is None or before is None:
            hint = "`app-server deploy compose` creates one."
            raise OperatorError("there is no earlier release", where=str(store.folder), hint=hint)
        progress(f"{name}: from release {current} back to {before.called}")
        with (
            recorded(store.folder, TARGET, "rollback", None, before.id, before.name),
            hooks.around(progress, release=before.id),
        ):
            roll(name, store, int(before.id), folder, progress)
        store.note(f"back from release {current} to {before.id}")
    return 0 if hooks.after(progress, release=before.id) else 1


def forget_old(store: Store) -> None:
    """Remove the releases of long ago, and the names of images that no release has any more."""
    wanted = kept.worth_keeping(read(store.folder), TARGET, store.releases(), store.current(), KEPT_RELEASES)
    names = {number: image_names(store.path(number)) for number in store.releases()}
    still = {image for number in wanted for image in names[number]}
    for number in store.releases():
        if number in wanted:
            continue
        for image in names[number] - still:
            with suppress(OperatorError):
                docker.run("rmi", image)
        shutil.rmtree(store.path(number), ignore_errors=True)
