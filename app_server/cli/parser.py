"""The command line: which words belong to which flag, and which command, flag or choice a misspelt word meant.

Words stay as they were typed. `app_server.settings` and the commands read them.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from app_server.cli.command import Command, Flag, wrong_choice
from app_server.cli.commands import COMMANDS, command_of, named_in, verbs_of
from app_server.cli.help import command_help, overview
from app_server.cli.terminal import columns, paint_for
from app_server.errors import OperatorError, did_you_mean, likely
from app_server.settings import Arity
from app_server.version import __version__

# How argparse spells each arity. A flag that takes one word is a list of one, so all flags give lists.
SPELLING: dict[Arity, dict[str, Any]] = {
    Arity.SWITCH: {"action": "store_const"},
    Arity.OPTIONAL: {"nargs": "?"},
    Arity.ONE: {"nargs": 1},
    Arity.REPEATED: {"action": "append"},
    Arity.SOME: {"nargs": "+", "action": "extend"},
    Arity.ANY: {"nargs": "*"},
    Arity.REST: {"nargs": argparse.REMAINDER},
}

HELP = ("-h", "--help")
VERSION = ("-V", "--version")
HELP_ALL = "--help-all"

_OIDC_INSTEAD = "Use --oidc-issuer for OpenID Connect, --oauth-provider for GitHub."

INSTEAD = {
    "--admin": "Use --console for a page, or `app-server status` in a terminal.",
    "--autoreload": "Use --dev to reload pages when a file changes.",
    "--host": "Use --address to choose where to listen.",
    "--index-titles": "The index page has the first line of each application's docstring.",
    "--liveness": "Use /healthz, which every server answers.",
    "--plugins": "Add handlers in a program of your own: app_server.Server takes extra_patterns.",
    "--processes": "Use --num-procs.",
    "--reload": "Use --dev to reload pages when a file changes.",
    "--rest-session-info": "Use --metrics, which counts sessions.",
    "--reuse-sessions": "Use --isolation snapshot to start sessions faster.",
    "--root-path": "Use --prefix to serve everything below a path.",
    "--workers": "Use --num-procs.",
}
"""What to do instead of flags that other servers have, above all Panel's."""


class Answered(Exception):
    """The command line asked only for a text, such as help or the version."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises OperatorError where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        found = re.match(r"argument (\S+?)(?:/\S+)?: (.*)", message, re.DOTALL)
        where, what = (found[1], found[2]) if found else (None, message)
        raise OperatorError(what, where=where, hint=f"See `{self.prog} --help`.")


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """The words of a command line by command and flag; a flag that was not typed has no attribute.

    Raises Answered for help and version, OperatorError for what cannot be understood.
    """
    if not argv or argv[0] in HELP or argv[0] == "help":
        raise Answered(_help_on([word for word in argv[1:] if word not in HELP], environ))
    if argv[0] in VERSION:
        raise Answered(f"app-server {__version__}")
    name = argv[0]
    if name not in COMMANDS:
        raise no_such_command(name)
    name = named_in(argv)
    command = command_of(name)
    namespace, extra = parser_of(name, command).parse_known_args(argv[1 + name.count(" ") :])
    if "help_wanted" in namespace:
        every = namespace.help_wanted == "all"
        raise Answered(command_help(name, command, paint_for(sys.stdout, environ), columns(), every=every))
    for word in extra:
        # argparse takes such words in one run only; those after a flag come here: serve a.py --port 80 b.py
        many = next((each.name for each in command.words if each.many), None)
        if many is None or word.startswith("-"):
            raise OperatorError("unknown argument", where=word, hint=_instead(name, command, word))
        getattr(namespace, many).append(word)
    check_choices(command, namespace, verbs_of(name))
    namespace.command = name
    return namespace


def parser_of(name: str, command: Command) -> Parser:
    """The parser of what follows the command's name."""
    parser = Parser(
        prog=f"app-server {name}", add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
    )  # fmt: skip
    parser.add_argument(*HELP, dest="help_wanted", action="store_const", const="common")
    if command.is_long:
        parser.add_argument(HELP_ALL, dest="help_wanted", action="store_const", const="all")
    for word in command.words:
        more: dict[str, Any] = {"nargs": "*", "default": []} if word.many else {"nargs": "?", "default": ""}
        if word.rest:
            more = {"nargs": argparse.REMAINDER, "default": []}
        parser.add_argument(word.name, metavar=word.metavar, **more)
    for flag in command.flags:
        if flag.names:
            _add_flag(parser, flag)
    return parser


def _add_flag(parser: Parser, flag: Flag) -> None:
    spelling = dict(SPELLING[flag.arity])
    if flag.arity is Arity.SWITCH:
        spelling["const"] = True if flag.checked else ()
    else:
        spelling["metavar"] = flag.metavar
    parser.add_argument(*flag.names, dest=flag.name, **spelling)


def check_choices(command: Command, namespace: argparse.Namespace, verbs: Mapping[str, str]) -> None:
    """Raise OperatorError for a word that is not among those to choose from. One of the verbs may have been meant."""
    for where, known, words in _chosen(command, namespace):
        for word in words:
            if word not in known:
                more = () if where.startswith("-") else tuple(verbs)
                raise wrong_choice(word, (*known, *more), where, command.examples[0])


def _chosen(command: Command, namespace: argparse.Namespace) -> Iterator[tuple[str, Mapping[str, str], Sequence[str]]]:
    """The flag or metavar, its choices, and the words that were typed; "" for a word that is missing."""
    for word in command.words:
        if word.choices and (word.required or getattr(namespace, word.name)):
            yield word.metavar, word.choices, [getattr(namespace, word.name)]
    for flag in command.flags:
        if flag.choices and flag.checked and flag.name in namespace:
            yield flag.names[-1], flag.choices, getattr(namespace, flag.name)


def no_such_command(word: str) -> OperatorError:
    """What to say of a first word that is not a command: what was probably meant."""
    hint = "See `app-server --help` for all commands."
    if word.startswith("-"):
        serve = long_names(command_of("serve"))
        name = word.partition("=")[0]
        meant = f"app-server serve {word}" if name in serve else likely(name, ("--help", "--version"))
        return OperatorError("unknown argument", where=word, hint=f"Did you mean {meant}?" if meant else hint)
    if found := likely(word, (*COMMANDS, "help")):
        hint = f"Did you mean {found}?"
    elif os.path.isdir(word) or word.endswith((".py", ".ipynb", ".md")):
        hint = f"Did you mean `app-server serve {shlex.quote(word)}`?"
    return OperatorError("unknown command", where=word, hint=hint)


def long_names(command: Command) -> tuple[str, ...]:
    """The flags of a command that begin with two dashes."""
    own = [name for flag in command.flags for name in flag.names if name.startswith("--")]
    return ("--help", *([HELP_ALL] if command.is_long else ()), *own)


def _help_on(words: Sequence[str], environ: Mapping[str, str]) -> str:
    paint = paint_for(sys.stdout, environ)
    if not words:
        return overview(paint, columns())
    if words[0] not in COMMANDS:
        raise no_such_command(words[0])
    name = named_in(words)
    return command_help(name, command_of(name), paint, columns())


def _instead(command_name: str, command: Command, word: str) -> str:
    """A hint for an argument that the command does not take."""
    name = word.partition("=")[0]
    if command_name == "serve":
        instead = INSTEAD.get(name) or (_OIDC_INSTEAD if name.startswith("--oauth") else None)
        if instead is not None:
            return instead
    more = HELP_ALL if command.is_long else "--help"
    return did_you_mean(name, long_names(command)) or f"See `app-server {command_name} {more}` for all flags."
