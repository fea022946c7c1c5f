"""`app-server bundle`: a deployment as one archive, for a machine without a network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.deploying.config import add_build_context, add_file_arguments, containers_plan, need_packages
from app_server.cli.terminal import say

USAGE = """\
app-server bundle [-f FILE] [-e NAME] [flags]

  Writes the images, compose.yaml and install.sh, for a machine with Docker and
  without a network.

  -f, --file FILE         what describes the deployment (deploy.yaml)
  -e, --environment NAME  one of its environments, such as staging
  --build-context DIR     a clone of app-server that the images are built of, whatever
                          the file says
  -o, --output FILE       the archive (the deployment's name and .tar.gz)
  --force                 overwrite it"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of the command."""
    add_file_arguments(parser)
    add_build_context(parser)
    parser.add_argument("-o", "--output", nargs=1, metavar="FILE", help="the archive")
    parser.add_argument("--force", action="store_const", const=True, help="overwrite it")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What writes the archive, after the deployment has been found to make sense."""
    need_packages()
    from app_server.deployment.rollout.bundle import bundle

    plan = containers_plan(namespace)
    target = Path(namespace.output[0] if "output" in namespace else f"{plan.name}.tar.gz")
    return partial(bundle, plan, target, Path(plan.source).absolute().parent, say, force="force" in namespace)
