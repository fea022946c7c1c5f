"""`app-server bundle`: a deployment as one archive, for a machine without a network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Flag, switch
from app_server.cli.deployments.flags import BUILD_CONTEXT, OF_A_FILE
from app_server.cli.deployments.loading import containers_plan, need_deployment_packages
from app_server.cli.deployments.reporting import REPORTING, check_reporting, progress_of, with_end

COMMAND = Command(
    forms=("[-f FILE] [-e NAME] [flags]",),
    text="Write the images, compose.yaml and install.sh as one archive, for a machine with Docker that has no network.",
    examples=("app-server bundle -o site.tar.gz",),
    flags=(
        *OF_A_FILE,
        BUILD_CONTEXT,
        Flag(names=("-o", "--output"), metavar="FILE", help="the archive", default="NAME.tar.gz"),
        switch("--force", "overwrite it"),
        *REPORTING,
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What writes the archive, after the deployment's rules have been checked."""
    need_deployment_packages()
    check_reporting(namespace)
    from app_server.deployment.rollout.bundle import bundle

    plan = containers_plan(namespace)
    target = Path(namespace.output[0] if "output" in namespace else f"{plan.name}.tar.gz")
    folder, progress = Path(plan.source).absolute().parent, progress_of(namespace, environ)
    return with_end(namespace, partial(bundle, plan, target, folder, progress, force="force" in namespace))
