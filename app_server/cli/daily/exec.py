"""`app-server deploy exec INSTANCE COMMAND ...`: run a command in the place of an instance."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Word
from app_server.cli.daily.target import OF_A_DEPLOYMENT, Asked, asked
from app_server.errors import OperatorError
from app_server.programs import run_in_front

if TYPE_CHECKING:
    from app_server.deployment.plan.values import Plan

COMMAND = Command(
    forms=("[-f FILE] [-e NAME] INSTANCE [COMMAND ...]",),
    text="Run a command in an instance's container, or on its host as its user and with its environment. It gets what "
    "is typed, and its exit status is passed on. Without a COMMAND, it is a shell. Flags come before INSTANCE.",
    examples=("app-server deploy exec a1 app-server sessions list", "app-server deploy exec a2"),
    words=(
        Word(name="instance", metavar="INSTANCE", help="the name of an instance, such as a1, or proxy"),
        Word(name="words", metavar="COMMAND", help="the command and its arguments", rest=True),
    ),
    flags=OF_A_DEPLOYMENT,
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What runs the command."""
    if not namespace.instance:
        raise OperatorError("is required", where="INSTANCE", hint="`app-server deploy status` shows the instances.")
    words = namespace.words[1:] if namespace.words[:1] == ["--"] else namespace.words
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not words and not terminal:
        raise OperatorError("is required without a terminal", where="COMMAND")
    return partial(run, asked(namespace), namespace.instance, words or ["sh"], terminal=terminal)


def run(about: Asked, instance: str, words: Sequence[str], *, terminal: bool) -> int:
    """Run the command; its status."""
    words = with_secrets(about.plan, instance, words)
    return run_in_front(about.deployed().command(instance, words, terminal=terminal))


def with_secrets(plan: Plan, instance: str, words: Sequence[str]) -> Sequence[str]:
    """The words of a command that has the applications' secrets in its environment, if there are any."""
    from app_server.deployment.daily.states import PROXY

    has_some = any(secret.is_of_applications for secret in plan.secrets)
    return ("app-server", "env", "--", *words) if has_some and instance != PROXY else words
