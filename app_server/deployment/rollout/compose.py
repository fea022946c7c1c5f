"""Roll-outs with compose, on one machine: `app-server deploy compose`.

A release is a folder with compose.yaml, what the proxy's image is built with, and the images by their contents. The new
release is built and tried beside the old one: its proxy reads its configuration, one instance of each pool starts. Only
then one instance after another is drained, stopped and replaced, and has to be healthy before the next one's turn
comes. When one is not, the old release takes its place again.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app_server.deployment.contained import BASE, LABEL
from app_server.deployment.images.contents import of_plan
from app_server.deployment.images.context import context_of
from app_server.deployment.plan.site import certificate_stem, published_port
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import render
from app_server.deployment.render.containers.compose import CONFIGURATION, published_address
from app_server.deployment.rollout import docker, proxy
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.proxy import Configuration
from app_server.deployment.rollout.steps import PROXY, Step, ago, content_name, steps
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

KEPT_RELEASES = 5

Say = Callable[[str], None]
NO_HOOKS = RolloutHooks(None)


def deploy(
    plan: Plan, store: Store, folder: Path, say: Say, *, everything: bool = False, hooks: RolloutHooks = NO_HOOKS
) -> int:
    """Roll out what the plan says; 0, or 1 where the hook after it failed. Relative paths begin in `folder`."""
    docker.require()
    look_before(plan, folder)
    hooks.look()
    with store.locked():
        number = max([*store.releases(), 0]) + 1
        place = store.path(number)
        say(f"release {number} of {plan.name}")
        with hooks.around(say, release=str(number)):
            try:
                write_release(for_volume(plan), place)
                build(plan, place, folder, say)
                configure(plan, place, folder)
                refuse_taken_port(plan)
                try_out(plan, place, folder, say)
                roll(plan.name, store, number, folder, say, everything=everything)
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
        store.note(f"release {number}")
        forget_old(store)
    say(f"release {number} is served at {plan.site.url}")
    return 0 if hooks.after(say, release=str(number)) else 1


def roll_back(name: str, store: Store, folder: Path, say: Say, *, hooks: RolloutHooks = NO_HOOKS) -> int:
    """Put the release before the current one in its place; 0, or 1 where the hook after it failed."""
    docker.require()
    hooks.look()
    with store.locked():
        current = store.current()
        # Older versions kept those of all environments in one store.
        same = [] if current is None else [number for number in store.releases() if store.is_alike(number, current)]
        before = ago(same, current)
        if current is None or before is None:
            hint = "`app-server deploy compose` makes one."
            raise OperatorError("there is no release before", where=str(store.folder), hint=hint)
        say(f"{name}: from release {current} back to {before}")
        with hooks.around(say, release=str(before)):
            roll(name, store, before, folder, say)
        store.note(f"back from release {current} to {before}")
        # What was taken back is not what the next --rollback should lead to.
        shutil.rmtree(store.path(current), ignore_errors=True)
    return 0 if hooks.after(say, release=str(before)) else 1


def look_before(plan: Plan, folder: Path) -> None:
    """OperatorError for an application, secret or certificate that is not there: nothing is built or started then."""
    made = plan.contained
    apps = folder / (made.mount or made.source)
    # An image that was built before holds them; the folder that it was made of may be on another machine.
    if made.build_context or made.mount:
        if not apps.is_dir():
            hint = "Name the folder of the applications with containers.source."
            raise OperatorError("there is no such folder", where=str(apps), hint=hint)
        for app in plan.apps:
            if os.path.isabs(app.path):
                hint = f"Name it relative to {apps}."
                raise OperatorError("containers have nothing of the host there", where=app.path, hint=hint)
            if not (apps / app.path).exists():
                # Where it was looked for before, without a word in the file.
                beside = folder / "apps" / app.path
                known = "Say containers.source: apps, which is where it lies." if beside.exists() else None
                raise OperatorError("there is no such file or folder", where=str(apps / app.path), hint=known)
    if plan.tls is not None and plan.spec.tls.certificate is None:
        certificate = folder / made.certificates / f"{certificate_stem(plan.site.hosts[0])}.pem"
        if not certificate.is_file():
            words = ("app-server", "certificate", *plan.site.hosts, "--folder", str(certificate.parent))
            hint = f"Make it: {shlex.join(words)}"
            raise OperatorError("there is no such file", where=str(certificate), hint=hint)
    for secret in plan.secrets:
        if secret.file is not None and not Path(secret.file).is_file():
            hint = "`app-server secret` makes one."
            raise OperatorError("there is no such file", where=secret.file, hint=hint)
        if secret.environment is not None and not os.environ.get(secret.environment):
            raise OperatorError(f"the variable {secret.environment} is not set", where=f"secrets.{secret.name}")


def for_volume(plan: Plan) -> Plan:
    """The plan whose proxy gets its configuration by a roll-out, in a volume, and not by files that are mounted."""
    return replace(plan, contained=replace(plan.contained, mounts_configuration=False))


def write_release(plan: Plan, place: Path) -> None:
    """The files of a release; those of a release that was broken off are in nobody's way."""
    shutil.rmtree(place, ignore_errors=True)
    for path, file in render("compose", plan).items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")
        target.chmod(file.mode)


def project(name: str, place: Path, folder: Path) -> Project:
    """The project of a release, with its images named by their contents."""
    return Project(name, [place / "compose.yaml", place / "images.yaml"], folder)


def build(plan: Plan, place: Path, folder: Path, say: Say) -> None:
    """Build the images, or find them, and write down by their contents what they are."""
    site = place / CONFIGURATION.format(kind=plan.spec.proxy.kind)
    services = Project(plan.name, [place / "compose.yaml"], folder)
    if plan.contained.build_context is not None:
        refuse_foreign_images(plan)
        begun_s = time.monotonic()
        # The release's own folders, whatever folder compose takes as the start of paths. JSON is YAML too.
        override = {PROXY: {"build": {"additional_contexts": {"site": str(site.resolve())}}}} if plan.has_proxy else {}
        gathered = place / "gathered"
        if plan.contained.mount is None:
            context_of(of_plan(plan, folder), gathered)
            contexts = {"apps": str(gathered.resolve()), "gathered": str(gathered.resolve())}
            override[f"app-{plan.instances[0].name}"] = {"build": {"additional_contexts": contexts}}
        (place / "images.yaml").write_text(json.dumps({"services": override}), encoding="utf-8")
        project(plan.name, place, folder).compose("build", "--quiet", where="docker compose build")
        say(f"  built the images in {time.monotonic() - begun_s:.0f} s")
        # The image has it now.
        shutil.rmtree(gathered, ignore_errors=True)
    wanted: dict[str, str] = {}
    for service, about in json.loads(services.compose("config", "--format", "json"))["services"].items():
        name = str(about["image"])
        found = docker.image_id(name)
        if found is None:
            docker.run("pull", "--quiet", name, where=name, hint="Load it with `docker load`, or build it.")
            found = docker.image_id(name)
        assert found is not None
        wanted[service] = content_name(name, found)
        docker.run("tag", found, wanted[service])
    (place / "images.yaml").write_text("".join(proxy.overrides(wanted, None)), encoding="utf-8")


def refuse_foreign_images(plan: Plan) -> None:
    """OperatorError if an image that would be built has the name of one that is not ours."""
    made = plan.contained
    named = (("app", made.app), *((("proxy", made.proxy),) if plan.has_proxy else ()))
    for key, image in named:
        if docker.image_id(image) is not None and not is_ours(docker.about(image)["Config"].get("Labels") or {}):
            hint = f"Choose another name with containers.images.{key}, or remove it with `docker rmi`."
            raise OperatorError("is there already, and is no image of app-server", where=image, hint=hint)


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether an image has the labels of those that our Dockerfiles make."""
    return LABEL in labels or labels.get("org.opencontainers.image.title", "").startswith(BASE)


def configure(plan: Plan, place: Path, folder: Path) -> None:
    """Have the proxy read its configuration in a volume, and keep its image where that differs in nothing else."""
    configuration = proxy.configuration_of(place)
    if configuration is None:
        return
    images = named_images(place)
    stays = proxy.image_that_stays(project(plan.name, place, folder), images[PROXY])
    if stays != images[PROXY]:
        docker.run("rmi", images[PROXY])
    text = "".join(proxy.overrides({**images, PROXY: stays}, configuration))
    (place / "images.yaml").write_text(text, encoding="utf-8")


def refuse_taken_port(plan: Plan) -> None:
    """OperatorError where another program has a port that the proxy shall have."""
    if PROXY in Project(plan.name, [], Path()).running():
        return
    address = published_address(plan) or ""
    for scheme in ("http", "https") if plan.tls is not None else ("http",):
        port = published_port(plan.spec, scheme)
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                where, holder = f"containers.publish.{scheme}", docker.project_at(port)
                what = f"port {port}: {error.strerror}" + (f" by the containers of {holder}" if holder else "")
                hint = f"Stop what listens there, or choose another {where}."
                if holder is not None and plan.name.startswith(f"{holder}-"):
                    hint = (
                        f"{plan.name} is a deployment of its own, beside {holder}: choose another {where} for it, "
                        f"or say `name: {holder}` where it is to take that one's place."
                    )
                raise OperatorError(what, where=where, hint=hint) from None


def try_out(plan: Plan, place: Path, folder: Path, say: Say) -> None:
    """Start what is new beside what runs: the proxy's check of its configuration, one instance of each pool."""
    candidate = project(trial_name(plan.name), place, folder)
    try:
        configuration = proxy.configuration_of(place)
        if configuration is not None:
            proxy.fill(candidate, configuration)
            words = ("run", "--rm", "--no-deps", "--no-TTY", PROXY, *configuration.program.check)
            candidate.compose(*words, where=f"{plan.spec.proxy.kind}'s configuration")
        for pool in plan.pools:
            service = f"app-{pool.instances[0].name}"
            _up(candidate, service, "does not start")
            # A session of each application is built, as a visitor's would be.
            paths = [app.url for app in pool.apps]
            try:
                candidate.compose("exec", "--no-TTY", service, "healthcheck", *paths)
            except OperatorError as error:
                what = f"{error.what}: {candidate.log_of(service)}"
                raise OperatorError(what, where=service, hint="Nothing was replaced.") from None
    finally:
        with suppress(OperatorError):
            candidate.compose("down", "--volumes", "--timeout", "1")
    say("  tried them: the configuration is read, the applications answer")


def trial_name(name: str) -> str:
    """The project of a trial: no deployment can be called so, for its name begins with a letter."""
    return f"0-trial-{name}"


def _up(containers: Project, service: str, what: str, *options: str) -> None:
    """Start or replace one service and wait until it is healthy. OperatorError with its last words where it is not."""
    words = ("up", "--detach", "--no-deps", "--no-build", "--wait", "--quiet-pull", *options, service)
    try:
        containers.compose(*words)
    except OperatorError as error:
        raise OperatorError(f"{what}: {containers.log_of(service) or error.what}", where=service) from None


def roll(name: str, store: Store, number: int, folder: Path, say: Say, *, everything: bool = False) -> None:
    """Bring what runs to the state of a release. Where a service does not get healthy, what ran before comes back."""
    new, configuration = project(name, store.path(number), folder), proxy.configuration_of(store.path(number))
    try:
        for step in _steps(new, configuration, everything=everything):
            begun_s = time.monotonic()
            _take(step, new, configuration, force=everything)
            spent = "" if step.kind == "keep" else f" in {time.monotonic() - begun_s:.1f} s"
            say(f"  {step.service:<12} {_SAID[step.kind]}{spent}")
    except OperatorError as error:
        current = store.current()
        if current is not None and current != number:
            say(f"  {error}")
            say(f"  going back to release {current}")
            old, configuration = project(name, store.path(current), folder), proxy.configuration_of(store.path(current))
            for step in _steps(old, configuration):
                _take(step, old, configuration)
        elif current is None:
            new.compose("down", "--timeout", "1")
        raise
    store.make_current(number)


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


def _take(step: Step, containers: Project, configuration: Configuration | None, *, force: bool = False) -> None:
    if step.service == PROXY and configuration is not None:
        if step.kind == "reload":
            proxy.reload(containers, configuration)
        elif step.kind in ("start", "replace"):
            proxy.fill(containers, configuration)
    if step.kind in ("start", "replace"):
        _up(containers, step.service, "did not get healthy", *(("--force-recreate",) if force else ()))
    elif step.kind == "remove":
        listed = docker.run(
            "ps", "--all", "--quiet",
            "--filter", f"label=com.docker.compose.project={containers.name}",
            "--filter", f"label=com.docker.compose.service={step.service}",
        ).split()  # fmt: skip
        for container in listed:
            # `stop` gives it the time that its own compose.yaml has stated.
            docker.run("stop", container)
            docker.run("rm", container)


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


def image_names(place: Path) -> set[str]:
    """The images of a release, named by their contents."""
    return set(named_images(place).values())


def named_images(place: Path) -> dict[str, str]:
    """The same by their services, in the order of the file."""
    try:
        text = (place / "images.yaml").read_text(encoding="utf-8")
    except OSError:
        return {}
    return dict(re.findall(r'^  (\S+): \{"image": "([^"]+)", depends_on', text, re.MULTILINE))
