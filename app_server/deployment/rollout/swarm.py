"""Roll-outs to a swarm: `app-server deploy swarm` writes a stack and deploys it, on a manager.

The swarm itself replaces one container after another, and takes an update back that fails. What was deployed is kept,
so `--rollback` can deploy the release before.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress
from app_server.deployment.progress.streamed import stream
from app_server.deployment.releases import kept
from app_server.deployment.render import render
from app_server.deployment.render.containers.swarm import outside_secrets
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.history import read, recorded
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

TARGET = "swarm"
FILE = "swarm.yaml"
KEPT_RELEASES = 5
NO_HOOKS = RolloutHooks(None)
_WHILE_IT_CONVERGES = ("overall progress:", "verify:", "service ")


def releases_of(store: Store) -> Store:
    """Where the releases for the swarm are kept, apart from those for compose."""
    return Store(store.folder / TARGET, store.name)


def releases(store: Store) -> list[kept.KeptRelease]:
    """The releases for the swarm, the earliest first."""
    place = releases_of(store)
    return kept.of_history(read(store.folder), TARGET, place.releases(), place.current())


def deploy(
    plan: Plan, store: Store, folder: Path, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, resolve: bool = True,
    called: str = "",
) -> int:  # fmt: skip
    """Deploy the stack; 0, or 1 if the hook after it failed. `resolve` asks the registry for the images' digests.

    `called` is the name of the release, "" for one that has only a number.
    """
    require_manager()
    _check_secrets(plan)
    hooks.look()
    with store.locked():
        place = releases_of(store)
        kept.refuse_used(called, releases(store))
        number = kept.next_number(read(store.folder), TARGET, place.releases())
        progress(f"release {kept.shown_as(str(number), called)} of {plan.name}")
        with (
            recorded(store.folder, TARGET, "deploy", folder, str(number), called),
            hooks.around(progress, release=str(number)),
        ):
            try:
                _write(plan, place.path(number))
                _deploy(plan.name, place.path(number), progress, resolve=resolve)
            except BaseException:
                shutil.rmtree(place.path(number), ignore_errors=True)
                raise
        place.make_current(number)
        store.note(f"release {number}")
        wanted = kept.worth_keeping(read(store.folder), TARGET, place.releases(), number, KEPT_RELEASES)
        for old in place.releases():
            if old not in wanted:
                shutil.rmtree(place.path(old), ignore_errors=True)
    progress(f"release {number} is served at {plan.site.url}")
    return 0 if hooks.after(progress, release=str(number)) else 1


def roll_back(
    name: str, store: Store, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, resolve: bool = True, to: str = ""
) -> int:
    """Deploy the release that `to` means, or the one before the current; 0, or 1 if the hook after it failed."""
    require_manager()
    hooks.look()
    with store.locked():
        place, known = releases_of(store), releases(store)
        current = place.current()
        before = kept.way_back(known, to, kept.served_before(read(store.folder), TARGET, known))
        if current is None or before is None:
            hint = "`app-server deploy swarm` creates one."
            raise OperatorError("holds no earlier release", where=str(place.folder), hint=hint)
        progress(f"{name}: from release {current} back to {before.called}")
        with (
            recorded(store.folder, TARGET, "rollback", None, before.id, before.name),
            hooks.around(progress, release=before.id),
        ):
            _deploy(name, place.path(int(before.id)), progress, resolve=resolve)
        place.make_current(int(before.id))
        store.note(f"back from release {current} to {before.id}")
    return 0 if hooks.after(progress, release=before.id) else 1


def require_manager() -> None:
    """OperatorError if no engine answers, or it is not a manager of a swarm."""
    docker.require_engine()
    if docker.run("info", "--format", "{{.Swarm.ControlAvailable}}").strip() != "true":
        hint = "Run this on a manager, or name it with DOCKER_HOST. `docker swarm init` makes a swarm."
        raise OperatorError("this engine is not a manager of a swarm", where="docker", hint=hint)


def _check_secrets(plan: Plan) -> None:
    known = set(docker.run("secret", "ls", "--format", "{{.Name}}").split())
    for secret in outside_secrets(plan):
        if secret.name not in known:
            hint = f"Create it: {secret.command}"
            raise OperatorError("the swarm does not have this secret", where=secret.name, hint=hint)


def _write(plan: Plan, place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    for path, file in render(TARGET, plan).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(file.text, encoding="utf-8")


def _deploy(name: str, place: Path, progress: Progress, *, resolve: bool) -> None:
    words = ["stack", "deploy", "--detach=false", "--prune", "--compose-file", str(place / FILE)]
    # Nodes log in to the registry as this user does.
    words += ["--with-registry-auth"] if resolve else ["--resolve-image", "never"]
    with progress.step("the swarm replaces what has changed", "the swarm has replaced what has changed"):
        status, said = stream(["docker", *words, name], lambda line: _report(line, progress))
        if status != 0:
            raise OperatorError(docker.last_words(said), where="docker stack deploy")
        for service, update in updates_of(name).items():
            if update.startswith("rollback"):
                hint = "What ran before goes on. `app-server deploy logs` says why."
                raise OperatorError("the swarm has taken the update back", where=service, hint=hint)


def _report(line: str, progress: Progress) -> None:
    progress.output(line)
    progress.now(line)
    if line.strip() and not line.startswith(_WHILE_IT_CONVERGES) and "/" not in line.partition(":")[0]:
        progress.part(line.strip())


def updates_of(name: str) -> dict[str, str]:
    """How the last update of each service of a stack stands; "" if there was none."""
    services = docker.run("stack", "services", "--quiet", name).split()
    known = docker.inspected("service", services)
    return {about["Spec"]["Name"]: str((about.get("UpdateStatus") or {}).get("State", "")) for about in known}
