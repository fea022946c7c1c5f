"""The command line, built from the table of settings: which words belong to which flag.

Words are handed on as they were typed; what they mean, and what is wrong with them, is told by `app_server.settings`.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from app_server.cli.deploying.bundle import add_arguments as add_bundle_arguments
from app_server.cli.deploying.config import add_arguments as add_config_arguments
from app_server.cli.deploying.config import add_file_arguments
from app_server.cli.deploying.deploy import add_arguments as add_deploy_arguments
from app_server.cli.deploying.doctor_flags import add_doctor_arguments
from app_server.cli.deploying.image import add_arguments as add_image_arguments
from app_server.cli.deploying.init import add_arguments as add_init_arguments
from app_server.cli.deploying.release import add_arguments as add_release_arguments
from app_server.cli.help import COMMANDS, overview, serve_help, short_help
from app_server.cli.running.static import own_settings
from app_server.cli.terminal import columns, paint_for
from app_server.errors import OperatorError, likely
from app_server.settings import Arity, Setting, all_settings
from app_server.version import __version__

# How argparse spells each arity. A flag that takes one word is a list of one, so that all flags give lists.
SPELLING: dict[Arity, dict[str, Any]] = {
    Arity.SWITCH: {"action": "store_const", "const": ()},
    Arity.ONE: {"nargs": 1},
    Arity.REPEATED: {"action": "append"},
    Arity.SOME: {"nargs": "+", "action": "extend"},
    Arity.ANY: {"nargs": "*"},
    Arity.REST: {"nargs": argparse.REMAINDER},
}


_OIDC_INSTEAD = "OpenID Connect is --oidc-issuer here."

INSTEAD = {
    "--admin": "`app-server status` shows a running server.",
    "--autoreload": "--dev loads pages again when a file changes.",
    "--host": "--address says where to listen.",
    "--liveness": "/healthz answers as long as the server lives.",
    "--num-threads": "Set pn.config.nthreads in the application.",
    "--processes": "--num-procs says how many.",
    "--reload": "--dev loads pages again when a file changes.",
    "--rest-session-info": "--metrics counts sessions.",
    "--reuse-sessions": "--isolation snapshot makes sessions begin sooner.",
    "--root-path": "--prefix is the path that all is served below.",
    "--setup": "Put the code into on_server_loaded of an application's app_hooks.py.",
    "--static-dirs": "What is in the folder static/ beside an application's main.py is served.",
    "--warm": "Import what takes long in on_server_loaded of an application's app_hooks.py.",
    "--workers": "--num-procs says how many.",
}
"""What to do instead of flags that other servers have, Panel's above all."""


class Answered(Exception):
    """The command line asked for a text, such as help or the version, and nothing else."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises OperatorError where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        found = re.match(r"argument (\S+?)(?:/\S+)?: (.*)", message, re.DOTALL)
        if found and (word := re.match(r"invalid choice: (['\"])(.*?)\1", found[2], re.DOTALL)):
            raise no_such_command(word[2])
        where, what = (found[1], found[2]) if found else (None, message)
        raise OperatorError(what, where=where, hint=f"`{self.prog} --help` lists what there is.")

    def suggest(self, flag: str) -> str:
        """A hint for a flag that there is not."""
        name = flag.partition("=")[0]
        if self.prog.endswith(" serve"):
            instead = INSTEAD.get(name) or (_OIDC_INSTEAD if name.startswith("--oauth") else None)
            if instead is not None:
                return instead
        known = [option for option in self._option_string_actions if option.startswith("--")]
        if found := likely(name, known):
            return f"Did you mean {found}?"
        return f"`{self.prog} {'--help-all' if '--help-all' in known else '--help'}` lists all flags."


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> argparse.Namespace:
    """The words of a command line by command and flag; a flag that was not typed has no attribute.

    Raises Answered for help and version, OperatorError for what cannot be understood.
    """
    parser, parsers = build()
    namespace, extra = parser.parse_known_args(argv)
    paint = paint_for(sys.stdout, environ)
    if "version" in namespace:
        raise Answered(f"app-server {__version__}")
    if "help_wanted" in namespace:
        if namespace.command == "serve":
            raise Answered(serve_help(columns(), paint, every=namespace.help_wanted == "all"))
        if namespace.command is None:
            raise Answered(overview(paint))
        raise Answered(short_help(namespace.command, paint, columns()))
    if namespace.command is None:
        raise OperatorError("no command", hint="`app-server --help` lists them.")
    for word in extra:
        # argparse takes file names in one run only; those after a flag come here: serve a.py --port 80 b.py
        if "files" not in namespace or word.startswith("-"):
            raise OperatorError("unknown argument", where=word, hint=parsers[namespace.command].suggest(word))
        namespace.files.append(word)
    return namespace


def no_such_command(word: str) -> OperatorError:
    """What to say of a first word that is no command: the one that was meant, or the command for a file."""
    hint = "`app-server --help` lists the commands."
    if word == "help":
        hint = "Write `app-server --help`, or `app-server COMMAND --help`."
    elif found := likely(word, COMMANDS):
        hint = f"Did you mean {found}?"
    elif os.path.isdir(word) or word.endswith((".py", ".ipynb")):
        hint = f"To serve an application: app-server serve {shlex.quote(word)}"
    return OperatorError("unknown command", where=word, hint=hint)


def build() -> tuple[Parser, dict[str, Parser]]:
    """The parser of `app-server`, and those of its commands by name."""
    parser = Parser(prog="app-server", add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("-V", "--version", action="store_const", const=True, help="print the version")
    _add_help(parser)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    parsers: dict[str, Parser] = {}
    for name, about in COMMANDS.items():
        parsers[name] = commands.add_parser(
            name, help=about, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS
        )
        _add_help(parsers[name])
    serve = parsers["serve"]
    serve.add_argument("files", nargs="*", default=[], metavar="FILE_OR_DIR", help="a script, notebook or directory")
    serve.add_argument("--help-all", dest="help_wanted", action="store_const", const="all", help="help on every flag")
    _add_settings(serve, all_settings())
    _add_settings(parsers["static"], own_settings())
    for name in ("json", "html"):
        _add_standalone(parsers[name])
    parsers["json"].add_argument("--indent", nargs=1, metavar="N", help="put each value on a line of its own")
    parsers["html"].add_argument("--resources", nargs=1, metavar="FROM", help="where BokehJS comes from")
    parsers["html"].add_argument("--server-url", nargs=1, metavar="URL", help="where static/ is")
    parsers["passwd"].add_argument("file", nargs="?", default="", metavar="FILE", help="the file of --basic-auth")
    parsers["passwd"].add_argument("user", nargs="?", default="", metavar="USER", help="the user's name")
    parsers["passwd"].add_argument("--delete", action="store_const", const=True, help="take the user out of the file")
    certificate = parsers["certificate"]
    certificate.add_argument("files", nargs="*", default=[], metavar="NAME", help="a host's name or address")
    certificate.add_argument("--folder", nargs=1, metavar="DIR", help="where the development authority is kept")
    certificate.add_argument("--check", nargs=1, metavar="FILE", help="say what is wrong with this certificate")
    certificate.add_argument("--key", nargs=1, metavar="FILE", help="the key that belongs to it")
    certificate.add_argument("--roots", nargs=1, metavar="FILE", help="the authorities that browsers trust")
    certificate.add_argument("--profile", nargs=1, metavar="NAME", help="intermediate or modern")
    add_config_arguments(parsers["config"])
    add_deploy_arguments(parsers["deploy"])
    add_bundle_arguments(parsers["bundle"])
    add_image_arguments(parsers["image"])
    add_init_arguments(parsers["init"])
    add_release_arguments(parsers["release"])
    _add_tunnel(parsers["tunnel"])
    add_doctor_arguments(parsers["doctor"])
    drain = parsers["drain"]
    drain.add_argument("target", nargs="?", default="", metavar="PID", help="the server, if not the only one")
    drain.add_argument("--port", nargs=1, metavar="N", help="the server that listens on this port")
    drain.add_argument("--wait", action="store_const", const=True, help="tell what is left until it has ended")
    status = parsers["status"]
    status.add_argument("target", nargs="?", default="", metavar="PID|URL", help="the server, if not the only one")
    status.add_argument("--once", action="store_const", const=True, help="print it once")
    status.add_argument("--json", action="store_const", const=True, help="print all figures as JSON")
    parsers["info"].add_argument("--static", action="store_const", const=True, help="print the path of BokehJS alone")
    parsers["completion"].add_argument("shell", nargs="?", default="", metavar="SHELL", help="bash, zsh, fish or tcsh")
    return parser, parsers


def _add_settings(parser: Parser, settings: Iterable[Setting]) -> None:
    # By flag: of two settings that share one, the last says how many words it takes.
    flags = {setting.flag: setting for setting in settings if setting.flag is not None}
    for flag, setting in flags.items():
        spelling = SPELLING[setting.arity]
        if setting.arity is not Arity.SWITCH:
            spelling = {**spelling, "metavar": setting.metavar}
        parser.add_argument(flag, dest=setting.name, help=setting.help, **spelling)


def _add_standalone(parser: Parser) -> None:
    """What json and html have in common."""
    parser.add_argument("files", nargs="*", default=[], metavar="FILE_OR_DIR", help="a script, notebook or directory")
    parser.add_argument("-o", "--output", action="append", metavar="FILE", help="the file to write, - for stdout")
    parser.add_argument("--force", action="store_const", const=True, help="overwrite what this command has not written")
    parser.add_argument("--args", nargs=argparse.REMAINDER, metavar="ARG", help="hand what follows to sys.argv")


def _add_tunnel(parser: Parser) -> None:
    parser.add_argument("server", nargs="?", default="", metavar="USER@HOST", help="the host that ssh goes to")
    add_file_arguments(parser)
    parser.add_argument("--reverse", action="store_const", const=True, help="offer this host's server on a gateway")
    parser.add_argument("--port", nargs=1, metavar="N", help="the server's port")
    parser.add_argument("--listen", nargs=1, metavar="N", help="the port that leads to it")
    parser.add_argument("--via", action="append", metavar="USER@HOST", help="a jump host on the way")
    parser.add_argument("--identity", nargs=1, metavar="FILE", help="the private key")
    parser.add_argument("--known-hosts", nargs=1, metavar="FILE", help="the keys of hosts that are believed")
    parser.add_argument("--alive-interval", nargs=1, metavar="SECONDS", help="how often the connection is probed")
    parser.add_argument("--alive-count", nargs=1, metavar="N", help="how many probes may go unanswered")
    parser.add_argument("--run", action="store_const", const=True, help="open the tunnel, and keep it open")
    parser.add_argument("--show", nargs=1, metavar="WHAT", help="what to print")


def _add_help(parser: Parser) -> None:
    parser.add_argument("-h", "--help", dest="help_wanted", action="store_const", const="common", help="show help")
