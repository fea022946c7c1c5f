"""`app-server completion SHELL`: a script that completes commands and flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

import shtab

from app_server.cli.parser import build
from app_server.cli.terminal import say
from app_server.cli.writing.html import RESOURCES
from app_server.errors import OperatorError
from app_server.settings import all_settings

# Those of shtab's that we have tried.
SHELLS = ("bash", "zsh", "fish", "tcsh")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the script for one shell; OperatorError for a shell that is not known."""
    known = [shell for shell in SHELLS if shell in shtab.SUPPORTED_SHELLS]
    if namespace.shell not in known:
        raise OperatorError(f"expected one of {', '.join(known)}, not {namespace.shell!r}", where="SHELL")
    return partial(run, namespace.shell)


def run(shell: str) -> int:
    """Print the script."""
    say(script(shell))
    return 0


def script(shell: str) -> str:
    """A shell's script, with the words that settings can choose from, and files where files belong."""
    parser, _ = build()
    choices = {setting.name: setting.choices for setting in all_settings() if setting.choices}
    choices["resources"] = RESOURCES
    commands = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in [action for command in commands[0].choices.values() for action in command._actions]:
        # Not in build(), where argparse would refuse words that our own parser takes, such as INFO.
        if action.dest in choices:
            action.choices = choices[action.dest]
        elif isinstance(action.metavar, str) and action.metavar in ("FILE", "PATH", "FILE_OR_DIR"):
            action.complete = shtab.FILE
    return str(shtab.complete(parser, shell))
