"""`app-server completion SHELL`: a script with which a shell completes commands, flags and their choices.

The script runs `app-server completion --words ...` at each TAB, with the words typed so far, the last one perhaps
empty. The answer has a line for each candidate, with a tab and its description, and FILES if files fit too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, Flag, Word, choices, wrong_choice
from app_server.cli.general.candidates import answer
from app_server.cli.general.shells import SCRIPTS
from app_server.cli.terminal import say
from app_server.settings import Arity

COMMAND = Command(
    forms=("bash|zsh|fish",),
    text="Print a script with which a shell completes commands, flags and their choices.",
    examples=(
        'eval "$(app-server completion bash)"',
        "app-server completion fish >~/.config/fish/completions/app-server.fish",
    ),
    words=(Word(name="shell", metavar="SHELL", help="the shell", choices=choices(*SCRIPTS)),),
    flags=(Flag(names=("--words",), metavar="WORD", arity=Arity.REST, help=""),),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the script for a shell, or the candidates for words."""
    if "words" in namespace:
        return partial(run, answer(namespace.words, environ))
    if not namespace.shell:
        raise wrong_choice("", SCRIPTS, "SHELL", COMMAND.examples[0])
    return partial(run, SCRIPTS[namespace.shell])


def run(text: str) -> int:
    """Print the text; 0."""
    say(text)
    return 0
