"""`app-server export`: write what this program brings along into a folder, for those who want to run or change it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Word
from app_server.cli.terminal import say
from app_server.errors import OperatorError

PARTS = {
    "ansible": "the playbooks and roles, for ansible-playbook",
    "images": "the Dockerfiles with all that images are built of, for docker build",
    "scenes": "a deploy.yaml for each kind of deployment, and one with every key",
    "examples": "the applications that the manual serves",
}

COMMAND = Command(
    forms=("ansible|images|scenes|examples DIR",),
    text="Write what this program brings along into a new folder. `app-server deploy` and `app-server image` do not "
    "need it: they use what they were installed with.",
    examples=("app-server export ansible ansible", "app-server export images build"),
    words=(
        Word(name="part", metavar="WHAT", help="what to write", required=True, choices=PARTS),
        Word(name="folder", metavar="DIR", help="a folder that does not exist yet, or is empty"),
    ),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What writes the folder."""
    if not namespace.folder:
        raise OperatorError("is required", where="DIR", hint=f"For example: {COMMAND.examples[0]}")
    return partial(run, namespace.part, Path(namespace.folder))


def run(part: str, folder: Path) -> int:
    """Write the folder; 0."""
    from app_server.deployment.images.sources import export

    export(part, folder)
    say(f"{part} is in {folder}")
    return 0
