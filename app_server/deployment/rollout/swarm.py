"""Roll-outs to a swarm: `app-server deploy swarm` writes a stack and deploys it, on a manager.

The swarm itself replaces one container after another, and takes an update back that fails. What was deployed is kept,
so `--rollback` can deploy the release before.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress
from app_server.deployment.progress.streamed import stream
from app_server.deployment.render import render
from app_server.deployment.render.containers.swarm import outside_secrets
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.history import recorded
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.steps import ago
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


def deploy(
    plan: Plan, store: Store, folder: Path, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, resolve: bool = True
) -> int:
    """Deploy the stack; 0, or 1 if the hook after it failed. `resolve` asks the registry for the images' digests."""
    require_manager()
    _check_secrets(plan)
    hooks.look()
    with store.locked():
        kept = releases_of(store)
        number = max([*kept.releases(), 0]) + 1
        progress(f"release {number} of {plan.name}")
        with (
            recorded(store.folder, TARGET, "deploy", folder, str(number)),
            hooks.around(progress, release=str(number)),
        ):
            try:
                _write(plan, kept.path(number))
                _deploy(plan.name, kept.path(number), progress, resolve=resolve)
            except BaseException:
                shutil.rmtree(kept.path(number), ignore_errors=True)
                raise
        kept.make_current(number)
        store.note(f"release {number}")
        for old in kept.releases()[:-KEPT_RELEASES]:
            shutil.rmtree(kept.path(old), ignore_errors=True)
    progress(f"release {number} is served at {plan.site.url}")
    return 0 if hooks.after(progress, release=str(number)) else 1


def roll_back(
    name: str, store: Store, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, resolve: bool = True
) -> int:
    """Deploy the release before the current one; 0, or 1 if the hook after it failed."""
    require_manager()
    hooks.look()
    with store.locked():
        kept = releases_of(store)
        current = kept.current()
        before = ago(kept.releases(), current)
        if current is None or before is None:
            hint = "`app-server deploy swarm` creates one."
            raise OperatorError("holds no earlier release", where=str(kept.folder), hint=hint)
        progress(f"{name}: from release {current} back to {before}")
        with (
            recorded(store.folder, TARGET, "rollback", None, str(before)),
            hooks.around(progress, release=str(before)),
        ):
            _deploy(name, kept.path(before), progress, resolve=resolve)
        kept.make_current(before)
        store.note(f"back from release {current} to {before}")
        # What was taken back is not what the next --rollback should lead to.
        shutil.rmtree(kept.path(current), ignore_errors=True)
    return 0 if hooks.after(progress, release=str(before)) else 1


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
    words += [] if resolve else ["--resolve-image", "never"]
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
    known = json.loads(docker.run("service", "inspect", *services)) if services else []
    return {about["Spec"]["Name"]: str((about.get("UpdateStatus") or {}).get("State", "")) for about in known}
