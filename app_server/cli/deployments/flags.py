"""The flags that several commands for deployments share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from app_server.cli.command import Flag, choices, switch
from app_server.settings import Arity, nearest

DEFAULT_FILE = "deploy.yaml"
DEPLOYMENT = "Which deployment"
PROXIES = choices("nginx", "apache", "none")

FILE = Flag(
    names=("-f", "--file"), metavar="FILE", help="the file that describes the deployment",
    default=f"the nearest {DEFAULT_FILE}", group=DEPLOYMENT,
)  # fmt: skip
ENVIRONMENT = Flag(
    names=("-e", "--environment"), metavar="NAME", help="one of its environments, such as staging", group=DEPLOYMENT
)
OF_A_FILE = (FILE, ENVIRONMENT)
"""The flags that name a deployment."""

BUILD_CONTEXT = Flag(
    names=("--build-context",), metavar="DIR", help="a clone of app-server to build images from, whatever the file says"
)
INCLUDE = Flag(
    names=("--include",), metavar="PATTERN", arity=Arity.REPEATED,
    help="further files next to the applications, such as data/*.csv",
)  # fmt: skip
PACKAGES = Flag(
    names=("--packages",), metavar="PATH", arity=Arity.REPEATED,
    help="what hosts install: requirements, wheels, or a folder of them",
)  # fmt: skip
SERVER_NAME = Flag(names=("--server-name",), metavar="NAME", arity=Arity.REPEATED, help="a public host name")
PREFIX = Flag(names=("--prefix",), metavar="PATH", help="serve everything below this path")
FORCE = switch("--force", "overwrite files that this command did not write")


def dashed(name: str) -> str:
    """The flag whose attribute in the namespace has this name."""
    return f"--{name.replace('_', '-')}"


def file_of(words: Sequence[str] | None) -> Path:
    """The deployment's file: as typed, or the nearest deploy.yaml in this folder or one above it."""
    if words:
        return Path(words[0])
    return nearest(DEFAULT_FILE, os.environ) or Path(DEFAULT_FILE)
