"""`app-server release`: pack what hosts need of a deployment, or try an unpacked release on a host."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_server.cli.command import Command, Flag
from app_server.cli.deployments.described import command_line
from app_server.cli.deployments.flags import INCLUDE, OF_A_FILE, PACKAGES
from app_server.cli.deployments.job import ALL, Job
from app_server.cli.deployments.loading import need_deployment_packages, read
from app_server.cli.terminal import paint_for, say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.load import LoadedSpec

COMMAND = Command(
    forms=("-o DIR --packages PATH ... [-f FILE] [-e NAME] [--include PATTERN ...]", "--try DIR --program PATH"),
    text="Write what hosts need of a deployment: release.json, release.tar.gz and packages.tar.gz. The playbooks in "
    "`app-server export ansible` call this command, and install what it wrote.",
    examples=("app-server release -o release --packages requirements.txt",),
    flags=(
        *OF_A_FILE,
        Flag(names=("-o", "--output"), metavar="DIR", help="where to write"),
        PACKAGES,
        INCLUDE,
        Flag(names=("--try",), dest="unpacked", metavar="DIR", group="On a host",
             help="start each command of an unpacked release once, open its pages, and stop it"),
        Flag(names=("--program",), metavar="PATH", help="the `app-server` to try", group="On a host"),
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What writes or tries a release, after all words have been checked."""
    if "unpacked" in namespace:
        if "program" not in namespace:
            raise OperatorError("needs --program", where="--try", hint="Name the environment's bin/app-server.")
        return partial(attempt, Path(namespace.unpacked[0]), namespace.program[0])
    need_deployment_packages()
    if "output" not in namespace:
        raise OperatorError("is required", where="--output", hint="Name a folder to write to.")
    loaded = read(namespace)
    import sys

    job = Job(ALL, loaded, command_line(namespace), paint_for(sys.stderr, environ))
    packages = [Path(path) for path in getattr(namespace, "packages", [])]
    return partial(write, job, loaded, Path(namespace.output[0]), getattr(namespace, "include", []), packages)


def write(job: Job, loaded: LoadedSpec, folder: Path, include: Sequence[str], packages: Sequence[Path]) -> int:
    """Write the release; 0."""
    from app_server.deployment.releases import release

    source = Path(loaded.file).resolve().parent
    gathered = release.gather(job.plan, job.files, source, include=include, packages=packages)
    changed = release.write(folder, gathered)
    release.write_certificates(job.plan, folder)
    say(f"release {gathered.about['id']} in {folder}" + ("" if changed else " (unchanged)"))
    return 0


def attempt(folder: Path, program: str) -> int:
    """Try an unpacked release; 0. OperatorError if it does not work."""
    # Hosts do not have the packages that only deployments need.
    from app_server.deployment.releases import preflight

    try:
        about: dict[str, Any] = json.loads((folder / "release.json").read_text(encoding="utf-8"))
        manifest: dict[str, Any] = json.loads((folder / "files" / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"does not contain a release: {error}", where=str(folder)) from None
    environ = preflight.environment_with_keys(about["secrets"], about.get("variables", {}))
    for each in preflight.trials(manifest["instances"], folder, program):
        preflight.attempt(each, environ)
        say(f"instance {each.name} starts and shows its pages")
    return 0
