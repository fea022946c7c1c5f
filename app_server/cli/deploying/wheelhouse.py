"""`app-server wheelhouse`: collect what the hosts of a deployment install."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.command import Command, Flag, Word, switch
from app_server.cli.terminal import say
from app_server.cli.typed import word_of
from app_server.errors import OperatorError

COMMAND = Command(
    forms=("DIR [REQUIREMENTS ...] [flags]",),
    text="Collect what hosts install: app-server's wheel, the list of what the server needs, and the wheels of that, "
    "checked by their hashes. `app-server deploy ansible --packages DIR` sends the folder to hosts, which then need no "
    "index.\n\nREQUIREMENTS are requirements files of applications, whose wheels are collected, too. Wheels are for "
    "this Python and this kind of machine, unless you name others.",
    examples=(
        "app-server wheelhouse wheels",
        "app-server wheelhouse wheels requirements.txt --python 3.13",
    ),
    words=(
        Word(name="folder", metavar="DIR", help="the folder to fill", required=True),
        Word(name="requirements", metavar="REQUIREMENTS", help="requirements files of applications", many=True),
    ),
    flags=(
        Flag(names=("--python",), metavar="VERSION", help="the hosts' Python, such as 3.13", default="this one"),
        Flag(names=("--platform",), metavar="NAME",
             help="the hosts' platform, such as manylinux_2_41_x86_64", default="this one"),
        switch("--own", "only app-server's wheel and the list: hosts get the rest from their own index"),
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What fills the folder."""
    if not namespace.folder:
        raise OperatorError("is required", where="DIR", hint=f"For example: {COMMAND.examples[0]}")
    python, platform = word_of(namespace, "python"), word_of(namespace, "platform")
    if python is not None and not re.fullmatch(r"3\.\d+(\.\d+)?", python):
        raise OperatorError(f"{python!r} is not a version of Python", where="--python", hint="Such as 3.13.")
    own = "own" in namespace
    for name, given in (("--python", python), ("--platform", platform), ("REQUIREMENTS", namespace.requirements)):
        if own and given:
            raise OperatorError("has no meaning with --own", where=name, hint="Leave one of them out.")
    requirements = [Path(file) for file in namespace.requirements]
    return partial(run, Path(namespace.folder), requirements, python, platform, own)


def run(folder: Path, requirements: list[Path], python: str | None, platform: str | None, own: bool) -> int:
    """Fill the folder; 0."""
    from app_server.deployment.releases.wheelhouse import collect

    count = collect(folder, requirements, python=python, platform=platform, download=not own)
    say(f"{count} {'wheel' if count == 1 else 'wheels'} in {folder}")
    return 0
