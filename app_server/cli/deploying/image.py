"""`app-server image`: build an image of applications and what they require."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.deployments.flags import INCLUDE, OF_A_FILE, dashed
from app_server.cli.deployments.loading import clone, containers_plan, need_deployment_packages
from app_server.cli.deployments.reporting import REPORTING, check_reporting, progress_of, with_end
from app_server.cli.typed import word_of
from app_server.errors import OperatorError
from app_server.settings import Arity

if TYPE_CHECKING:
    from app_server.deployment.images.contents import Contents
    from app_server.deployment.plan.values import Plan

COMMAND = Command(
    forms=("FILE_OR_DIR ... [flags]", "[-f FILE] [-e NAME] [flags]", "--base [-t NAME]"),
    text="Build an image that serves these applications, or those of a deployment. Start it once, and check that each "
    "application shows its page. Modules next to a script that it imports are included.",
    examples=("app-server image myapp.py -t myapp:1",),
    words=(Word(name="files", metavar="FILE_OR_DIR", help="a script, notebook or directory", many=True),),
    flags=(
        Flag(names=("-t", "--tag"), metavar="NAME", help="the image's name",
             default="the first application's, or the deployment's"),
        Flag(names=("--requirements",), metavar="FILE", arity=Arity.REPEATED,
             help="what pip installs for them, only wheels", default="requirements.txt next to the applications"),
        INCLUDE,
        Flag(names=("--from",), dest="base", metavar="NAME",
             help="the image of app-server to build on", default="image.base of deploy.yaml, or app-server:VERSION"),
        Flag(names=("--base",), dest="only_base", arity=Arity.SWITCH,
             help="build only app-server's own image, on which others are built"),
        Flag(names=("--build-context",), metavar="DIR",
             help="a clone of app-server, to build that image if it is missing",
             default="what this command was installed from"),
        Flag(names=("--pip-conf",), metavar="FILE", help="pip's configuration for the build; it leaves no trace"),
        switch("--no-try", "do not start the image, if applications need what is not available here"),
        switch("--push", "push it to the registry that its name names, with the login of `docker login`"),
        switch("--force", "replace an image of this name that this command did not build"),
        *OF_A_FILE,
        *REPORTING,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What builds the image, after all words have been checked."""
    _refuse_both(namespace)
    check_reporting(namespace)
    need_deployment_packages()
    if "only_base" in namespace:
        return _base(namespace, environ)
    from app_server.deployment.images import image
    from app_server.deployment.images.base import OWN
    from app_server.deployment.images.contents import typed
    from app_server.deployment.images.sources import sources
    from app_server.deployment.rollout.history import revision_of

    include, requirements = getattr(namespace, "include", []), getattr(namespace, "requirements", [])
    _require_files(namespace)
    base, proxy, folder = word_of(namespace, "base"), None, Path()
    if namespace.files:
        contents = typed(namespace.files, include, requirements)
    else:
        plan = _plan(namespace)
        folder, base = Path(plan.source).absolute().parent, base or plan.spec.image.base
        contents, proxy = _of_deployment(plan, folder, include, requirements)
    wish = image.Wish(
        name=image.full_name(namespace.tag[0] if "tag" in namespace else contents.name, "--tag"),
        base=base if base and "@" in base else image.full_name(base or OWN, "--from"),
        contents=contents,
        # Only our own image can be built if it is missing.
        build_context=clone(namespace) or (sources() if base is None else None),
        pip_conf=Path(namespace.pip_conf[0]) if "pip_conf" in namespace else None,
        proxy=proxy,
        tried="no_try" not in namespace,
        force="force" in namespace,
        pushed="push" in namespace,
        revision=revision_of(folder),
    )
    return with_end(namespace, partial(image.build, wish, progress_of(namespace, environ)))


def _base(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What builds app-server's own image. OperatorError for words that are about applications."""
    from app_server.deployment.images.base import OWN, pip_secret, rebuild
    from app_server.deployment.images.image import full_name
    from app_server.deployment.images.sources import sources
    from app_server.deployment.own_files import DOCKERFILE

    about = [name for name in ("requirements", "include", "base", "no_try", "file", "environment") if name in namespace]
    if namespace.files or about:
        where = "FILE_OR_DIR" if namespace.files else "--from" if about[0] == "base" else dashed(about[0])
        raise OperatorError("has no meaning with --base", where=where, hint="Leave one of them out.")
    _require_files(namespace)
    folder = clone(namespace) or sources()
    if folder is None:
        hint = "Install app-server from its wheel, or name a clone with --build-context."
        raise OperatorError(f"{DOCKERFILE} is missing", where="--base", hint=hint)
    name = full_name(word_of(namespace, "tag") or OWN, "--tag")
    secret = pip_secret(Path(namespace.pip_conf[0])) if "pip_conf" in namespace else ()
    pushed = "push" in namespace
    return with_end(namespace, partial(rebuild, name, folder, progress_of(namespace, environ), secret, pushed=pushed))


def _refuse_both(namespace: argparse.Namespace) -> None:
    """Raise OperatorError if applications and a deployment were named."""
    for name in ("file", "environment"):
        if namespace.files and name in namespace:
            hint = "Leave one of them out."
            raise OperatorError("has no meaning with applications", where=f"--{name}", hint=hint)


def _require_files(namespace: argparse.Namespace) -> None:
    """Raise OperatorError for a flag that names a missing file."""
    for name in ("requirements", "pip_conf"):
        for file in getattr(namespace, name, []):
            if not Path(file).is_file():
                raise OperatorError("there is no such file", where=f"{dashed(name)} {file}")


def _plan(namespace: argparse.Namespace) -> Plan:
    """The deployment's plan. OperatorError for applications that an image cannot contain."""
    plan = containers_plan(namespace)
    for app in plan.apps:
        if Path(app.path).is_absolute():
            hint = "Name it relative to the folder of the deployment's file."
            what = "an image contains only files below one folder"
            raise OperatorError(what, where=f"apps.{app.name}.path", hint=hint)
    return plan


def _of_deployment(
    plan: Plan, folder: Path, include: Sequence[str], requirements: Sequence[str]
) -> tuple[Contents, str | None]:
    """The contents of a deployment's image, and the kind of its proxy unless the deployment names an image for it."""
    from app_server.deployment.images.contents import of_plan

    contents = of_plan(plan, folder, include, requirements)
    return contents, plan.spec.proxy.kind if plan.has_proxy and plan.spec.containers.images.proxy is None else None
