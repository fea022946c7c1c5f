"""`app-server env COMMAND ...`: a command with the variables that applications get from a .env."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from app_server.cli.command import Command, Flag, Word
from app_server.errors import OperatorError
from app_server.settings import added, with_files

COMMAND = Command(
    forms=("[--env-file FILE] COMMAND ...",),
    text="Run a command with the variables of a file in its environment, as `serve` gives them to applications. "
    "Without --env-file, it is the file that APP_SERVER_ENV_FILE or pyproject.toml names. Flags come before COMMAND.",
    examples=("app-server env --env-file .env python migrate.py",),
    words=(Word(name="words", metavar="COMMAND", help="the command and its arguments", rest=True),),
    flags=(Flag(names=("--env-file",), metavar="FILE", help="read this file", variables=("APP_SERVER_ENV_FILE",)),),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What runs the command."""
    words = namespace.words[1:] if namespace.words[:1] == ["--"] else namespace.words
    if not words or not words[0]:
        raise OperatorError("is required", where="COMMAND", hint=f"For example: {COMMAND.examples[0]}")
    flags = {"env_file": namespace.env_file} if "env_file" in namespace else {}
    _, variables = with_files(flags, environ)
    return partial(run, words, added(variables, environ))


def run(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Become the command. OperatorError if it cannot be started."""
    try:
        os.execvpe(words[0], list(words), dict(environ))
    except OSError as error:
        raise OperatorError(f"cannot be started: {error.strerror}", where=words[0]) from None
