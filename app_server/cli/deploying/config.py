"""`app-server config TARGET`: the files of a deployment, derived from deploy.yaml; written, compared and checked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.deployments.described import FLAGS, as_typed, command_line
from app_server.cli.deployments.flags import BUILD_CONTEXT, FORCE, OF_A_FILE
from app_server.cli.deployments.job import ALL, Job
from app_server.cli.deployments.loading import need_deployment_packages, read
from app_server.cli.terminal import paint_for, say
from app_server.deployment.targets import TARGETS
from app_server.errors import OperatorError, OperatorErrors

SCHEMA = "schema"

COMMAND = Command(
    forms=("TARGET [-f FILE] [-e NAME] [flags]", "TARGET --app FILE_OR_DIR ... [flags]"),
    text="Print, write, compare or check the files that a deployment needs.",
    examples=("app-server config nginx", "app-server config all -o generated",
              "app-server config nginx --app myapp.py --server-name www.example.com"),
    words=(
        Word(name="target", metavar="TARGET", help="what to print", required=True, choices={
            ALL: "every target that the deployment has",
            **{name: target.about for name, target in TARGETS.items()},
            SCHEMA: "the JSON Schema of the deployment's file",
        }),
    ),
    flags=(
        *OF_A_FILE,
        Flag(names=("-o", "--output"), metavar="DIR", help="write the files into this folder, in one step"),
        FORCE,
        switch("--diff", "show what would change, in the folder or in the installed files"),
        switch("--check", "let the programs that will read the files check them"),
        BUILD_CONTEXT,
        *FLAGS,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints, writes, compares or checks, after the deployment's rules have been checked."""
    need_deployment_packages()
    if namespace.target == SCHEMA:
        return print_schema
    _refuse_contradictions(namespace)
    paint = paint_for(sys.stderr, environ)
    folder = Path(namespace.output[0]) if "output" in namespace else None
    try:
        job = Job(namespace.target, read(namespace), command_line(namespace), paint, folder)
    except OperatorErrors as errors:
        faults = [as_typed(fault) if "app" in namespace else fault for fault in errors.faults]
        raise OperatorErrors(faults) from None
    if "check" in namespace:
        return job.check
    if "diff" in namespace:
        return partial(job.diff, folder)
    if folder is not None:
        return partial(job.write, folder, force="force" in namespace)
    return job.print


def _refuse_contradictions(namespace: argparse.Namespace) -> None:
    if "diff" in namespace and "check" in namespace:
        raise OperatorError("cannot be used with --diff", where="--check", hint="Leave one of them out.")
    if "force" in namespace and "output" not in namespace:
        raise OperatorError("has no meaning without --output", where="--force", hint="Name a folder with --output.")
    if "build_context" in namespace and namespace.target != "compose":
        what = f"has no meaning with {namespace.target}"
        raise OperatorError(what, where="--build-context", hint="Leave it out.")


def print_schema() -> int:
    """Print the JSON Schema; 0."""
    from app_server.deployment.schema import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0
