"""`app-server image`: applications and what they require as an image, in one command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.deploying.config import add_file_arguments, clone, containers_plan, need_packages
from app_server.cli.terminal import say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.images.contents import Contents

DEFAULT_BASE = "app-server"

USAGE = """\
app-server image FILE_OR_DIR ... [flags]
       app-server image [-f FILE] [-e NAME] [flags]

  Builds an image that serves these applications, or those of a deployment; starts
  it once, and has each application show its page. The modules beside a script that
  it imports go with it.

  -t, --tag NAME          the image's name (the first application's, or the
                          deployment's)
  --requirements FILE     what pip installs for them, wheels only (requirements.txt
                          beside the applications; repeatable)
  --include PATTERN       further files beside the applications, such as data/*.csv
                          (repeatable)
  --from NAME             the image to begin with (app-server)
  --build-context DIR     a clone of app-server, to build that one where it is missing
                          (what this command was installed from)
  --pip-conf FILE         pip's configuration for the build; it leaves no trace
  --no-try                do not start it, where applications need what is not here
  --force                 take the name of an image that this command has not made
  -f, --file FILE         what describes the deployment (deploy.yaml)
  -e, --environment NAME  one of its environments, such as staging"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words and flags of the command."""
    add = parser.add_argument
    add("files", nargs="*", default=[], metavar="FILE_OR_DIR", help="a script, notebook or directory")
    add("-t", "--tag", nargs=1, metavar="NAME", help="the image's name")
    add("--requirements", action="append", metavar="FILE", help="what pip installs for the applications")
    add("--include", action="append", metavar="PATTERN", help="further files beside the applications")
    add("--from", dest="base", nargs=1, metavar="NAME", help="the image to begin with")
    add("--build-context", nargs=1, metavar="DIR", help="a clone of app-server, to build that one of")
    add("--pip-conf", nargs=1, metavar="FILE", help="pip's configuration for the build")
    add("--no-try", action="store_const", const=True, help="do not start it")
    add("--force", action="store_const", const=True, help="take the name of an image that is not this command's")
    add_file_arguments(parser)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What builds the image, after all that was typed has been found to make sense."""
    if namespace.files:
        for name in ("file", "environment"):
            if name in namespace:
                hint = "Leave one of them out."
                raise OperatorError("has no meaning with applications", where=f"--{name}", hint=hint)
    else:
        need_packages()
    from app_server.deployment.images import image
    from app_server.deployment.images.contents import typed
    from app_server.deployment.images.sources import sources

    include, requirements = getattr(namespace, "include", []), getattr(namespace, "requirements", [])
    for flag, file in (*(("--requirements", each) for each in requirements), *_pip_conf(namespace)):
        if not Path(file).is_file():
            raise OperatorError("there is no such file", where=f"{flag} {file}")
    proxy = None
    if namespace.files:
        contents = typed(namespace.files, include, requirements)
    else:
        contents, proxy = _of_deployment(namespace)
    wish = image.Wish(
        name=image.full_name(namespace.tag[0] if "tag" in namespace else contents.name, "--tag"),
        base=image.full_name(namespace.base[0] if "base" in namespace else DEFAULT_BASE, "--from"),
        contents=contents,
        # An image of another name is not ours to build.
        build_context=clone(namespace) or (None if "base" in namespace else sources()),
        pip_conf=Path(namespace.pip_conf[0]) if "pip_conf" in namespace else None,
        proxy=proxy,
        tried="no_try" not in namespace,
        force="force" in namespace,
    )
    return partial(image.build, wish, say)


def _pip_conf(namespace: argparse.Namespace) -> list[tuple[str, str]]:
    return [("--pip-conf", namespace.pip_conf[0])] if "pip_conf" in namespace else []


def _of_deployment(namespace: argparse.Namespace) -> tuple[Contents, str | None]:
    """The contents that a deployment's applications make, and the kind of its proxy where any image of that does."""
    from app_server.deployment.images.contents import of_plan

    plan = containers_plan(namespace)
    for app in plan.apps:
        if Path(app.path).is_absolute():
            hint = "Name it relative to the folder of the deployment's file."
            raise OperatorError("an image holds what lies below one folder", where=f"apps.{app.name}.path", hint=hint)
    folder = Path(plan.source).absolute().parent
    contents = of_plan(plan, folder, getattr(namespace, "include", []), getattr(namespace, "requirements", []))
    return contents, plan.spec.proxy.kind if plan.has_proxy and plan.spec.containers.images.proxy is None else None
