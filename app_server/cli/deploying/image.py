"""`app-server image`: build an image of applications and what they require."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.deployments.flags import INCLUDE, OF_A_FILE, dashed
from app_server.cli.deployments.loading import clone, containers_plan, need_deployment_packages
from app_server.cli.deployments.reporting import REPORTING, check_reporting, progress_of, with_end
from app_server.errors import OperatorError
from app_server.settings import Arity

if TYPE_CHECKING:
    from app_server.deployment.images.contents import Contents

DEFAULT_BASE = "app-server"

COMMAND = Command(
    forms=("FILE_OR_DIR ... [flags]", "[-f FILE] [-e NAME] [flags]"),
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
        Flag(names=("--from",), dest="base", metavar="NAME", help="the image to build on", default=DEFAULT_BASE),
        Flag(names=("--build-context",), metavar="DIR",
             help="a clone of app-server, to build that image if it is missing",
             default="what this command was installed from"),
        Flag(names=("--pip-conf",), metavar="FILE", help="pip's configuration for the build; it leaves no trace"),
        switch("--no-try", "do not start the image, if applications need what is not available here"),
        switch("--force", "replace an image of this name that this command did not build"),
        *OF_A_FILE,
        *REPORTING,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What builds the image, after all words have been checked."""
    _refuse_both(namespace)
    check_reporting(namespace)
    if not namespace.files:
        need_deployment_packages()
    from app_server.deployment.images import image
    from app_server.deployment.images.contents import typed
    from app_server.deployment.images.sources import sources

    include, requirements = getattr(namespace, "include", []), getattr(namespace, "requirements", [])
    _require_files(namespace)
    proxy = None
    if namespace.files:
        contents = typed(namespace.files, include, requirements)
    else:
        contents, proxy = _of_deployment(namespace)
    wish = image.Wish(
        name=image.full_name(namespace.tag[0] if "tag" in namespace else contents.name, "--tag"),
        base=image.full_name(namespace.base[0] if "base" in namespace else DEFAULT_BASE, "--from"),
        contents=contents,
        # Only our own image can be built if it is missing.
        build_context=clone(namespace) or (None if "base" in namespace else sources()),
        pip_conf=Path(namespace.pip_conf[0]) if "pip_conf" in namespace else None,
        proxy=proxy,
        tried="no_try" not in namespace,
        force="force" in namespace,
    )
    return with_end(namespace, partial(image.build, wish, progress_of(namespace, environ)))


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


def _of_deployment(namespace: argparse.Namespace) -> tuple[Contents, str | None]:
    """The contents of a deployment's image, and the kind of its proxy unless the deployment names an image for it."""
    from app_server.deployment.images.contents import of_plan

    plan = containers_plan(namespace)
    for app in plan.apps:
        if Path(app.path).is_absolute():
            hint = "Name it relative to the folder of the deployment's file."
            what = "an image contains only files below one folder"
            raise OperatorError(what, where=f"apps.{app.name}.path", hint=hint)
    folder = Path(plan.source).absolute().parent
    contents = of_plan(plan, folder, getattr(namespace, "include", []), getattr(namespace, "requirements", []))
    return contents, plan.spec.proxy.kind if plan.has_proxy and plan.spec.containers.images.proxy is None else None
