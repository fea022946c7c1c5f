"""The commands by group, and the module of each."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from app_server.cli.command import Command


class CommandModule(Protocol):
    """The module of a command. `prepare` checks what was typed and returns what runs it."""

    COMMAND: Command

    @staticmethod
    def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
        """What runs the command. OperatorError for words that make no sense."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that belong together, with a line on each; `folder` is the package of their modules."""

    title: str
    folder: str
    commands: Mapping[str, str]


GROUPS = (
    Group("Write an application", "writing", {
        "html": "write applications as pages that need no server",
        "json": "write applications' documents as JSON",
    }),
    Group("Run it", "running", {
        "serve": "serve applications, and keep them in sync with browsers",
        "status": "show a running server in the terminal",
        "sessions": "list, show and delete saved sessions",
        "drain": "stop a running server once its sessions have ended",
        "load": "measure how many people an application carries",
        "static": "serve only BokehJS, as a CDN of your own",
        "passwd": "set the password of a user of --basic-auth",
        "secret": "print a new key for BOKEH_SECRET_KEY",
    }),
    Group("Deploy it", "deploying", {
        "init": "write a first deploy.yaml for your applications",
        "config": "write the configuration of nginx, systemd and others",
        "deploy": "roll out a deployment, one instance after another",
        "doctor": "check a running deployment from outside",
        "image": "build a container image of applications",
        "bundle": "pack a deployment for a machine without a network",
        "release": "pack a deployment for hosts, or try it on one",
        "wheelhouse": "collect what hosts install",
        "export": "write playbooks, Dockerfiles or examples into a folder",
        "backup": "write sessions, secrets and certificates into one file",
        "restore": "bring back what a backup has",
        "certificate": "make a certificate for development, or check one",
        "tunnel": "reach a server through SSH",
    }),
    Group("More", "general", {
        "info": "print versions and paths",
        "env": "run a command with the variables of a .env",
        "completion": "print a script for completion in a shell",
    }),
)  # fmt: skip

VERBS: Mapping[str, Group] = {
    "deploy": Group("Once it runs", "daily", {
        "status": "show which instances run, since when, and of which release",
        "logs": "print the logs of all instances, or follow them",
        "maintenance": "close the site for new pages, or open it again",
        "history": "show who has released what, and when",
        "exec": "run a command in the place of an instance",
    }),
}  # fmt: skip
"""The words after a command that are commands of their own."""

COMMANDS: Mapping[str, str] = {name: about for group in GROUPS for name, about in group.commands.items()}
"""What each command does, in a few words."""


NAMES: tuple[str, ...] = (*COMMANDS, *(f"{name} {verb}" for name, group in VERBS.items() for verb in group.commands))
"""Every command as it is typed, such as `deploy` and `deploy logs`."""


def verbs_of(name: str) -> Mapping[str, str]:
    """The commands of their own that may follow this one."""
    return VERBS[name].commands if name in VERBS else {}


def named_in(words: Sequence[str]) -> str:
    """The command that a command line names: its first word, or the first two."""
    return " ".join(words[:2]) if len(words) > 1 and words[1] in verbs_of(words[0]) else words[0]


def module_of(name: str) -> CommandModule:
    """The module of a command. It is imported only for a command that is used: some bring a lot along."""
    first, _, verb = name.partition(" ")
    folder = VERBS[first].folder if verb else next(group.folder for group in GROUPS if name in group.commands)
    name = verb or name
    return cast("CommandModule", importlib.import_module(f"app_server.cli.{folder}.{name}"))


def command_of(name: str) -> Command:
    """The interface of a command."""
    return module_of(name).COMMAND
