"""The files of a release, and its images, which are named by their contents."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

from app_server.deployment.images.base import provide, refuse_foreign
from app_server.deployment.images.contents import of_plan
from app_server.deployment.images.context import context_of
from app_server.deployment.images.registry import has_registry, pull
from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.buildkit import BuildSteps
from app_server.deployment.progress.progress import Progress
from app_server.deployment.render import render
from app_server.deployment.render.containers.compose import CONFIGURATION
from app_server.deployment.rollout import docker, proxy
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.preconditions import refuse_foreign_images
from app_server.deployment.rollout.steps import PROXY, content_name
from app_server.errors import OperatorError


def for_volume(plan: Plan) -> Plan:
    """The plan whose proxy gets its configuration by a roll-out, in a volume, and not by files that are mounted."""
    return replace(plan, contained=replace(plan.contained, mounts_configuration=False))


def write_release(plan: Plan, place: Path) -> None:
    """The files of a release; those of an interrupted release do no harm."""
    shutil.rmtree(place, ignore_errors=True)
    for path, file in render("compose", plan).items():
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.text, encoding="utf-8")
        target.chmod(file.mode)


def project(name: str, place: Path, folder: Path) -> Project:
    """The project of a release, with its images named by their contents."""
    return Project(name, [place / "compose.yaml", place / "images.yaml"], folder)


def build(plan: Plan, place: Path, folder: Path, progress: Progress, *, pulls: bool = False) -> None:
    """Build the images, or find them, and record them by their contents.

    With `pulls`, images that are not built come from their registry, even if there are some of these names here.
    """
    services = Project(plan.name, [place / "compose.yaml"], folder)
    if plan.contained.build_context is not None:
        refuse_foreign_images(plan)
        if plan.contained.base is not None:
            provide(plan.contained.base, "app-server", None, progress)
            refuse_foreign(plan.contained.base)
        steps = BuildSteps()
        with progress.step("building the images", lambda: f"built the images{steps.summary}"):
            steps = _build(plan, place, folder, progress)
    listed = json.loads(services.compose("config", "--format", "json"))["services"]
    named = {service: str(about["image"]) for service, about in listed.items()}
    built = {plan.contained.app, plan.contained.proxy} if plan.contained.build_context is not None else set()
    again = {name for name in named.values() if has_registry(name)} - built if pulls else set()
    ids = {name: _found(name, progress, again=name in again) for name in dict.fromkeys(named.values())}
    wanted = {service: content_name(name, ids[name]) for service, name in named.items()}
    for service, name in named.items():
        docker.run("tag", ids[name], wanted[service])
    (place / "images.yaml").write_text("".join(proxy.overrides(wanted, None)), encoding="utf-8")


def _found(name: str, progress: Progress, *, again: bool) -> str:
    """The id of an image, which is pulled if it is not here, or `again` in any case."""
    if again or docker.image_id(name) is None:
        pull(name, progress)
    found = docker.image_id(name)
    if found is None:
        raise OperatorError("is not here after it was pulled", where=name, hint="Ask for it again.")
    return found


def _build(plan: Plan, place: Path, folder: Path, progress: Progress) -> BuildSteps:
    # The release's own folders, whatever folder compose takes as the start of paths. JSON is YAML too.
    site = place / CONFIGURATION.format(kind=plan.spec.proxy.kind)
    override = {PROXY: {"build": {"additional_contexts": {"site": str(site.resolve())}}}} if plan.has_proxy else {}
    gathered = place / "gathered"
    if plan.contained.mount is None:
        context_of(of_plan(plan, folder), gathered)
        contexts = {"apps": str(gathered.resolve()), "gathered": str(gathered.resolve())}
        override[f"app-{plan.instances[0].name}"] = {"build": {"additional_contexts": contexts}}
    (place / "images.yaml").write_text(json.dumps({"services": override}), encoding="utf-8")
    try:
        return project(plan.name, place, folder).build(progress)
    finally:
        # The image has it now.
        shutil.rmtree(gathered, ignore_errors=True)


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
