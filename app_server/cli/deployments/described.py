"""A deployment that flags describe in place of a file: the flags, the values they make, and faults that name them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_server.cli.command import Flag, choices
from app_server.cli.deployments.flags import PREFIX, PROXIES, SERVER_NAME, dashed
from app_server.errors import OperatorError
from app_server.settings import Arity

SOURCE = "command line"
"""The file's name in the faults of a deployment that flags describe."""

TITLE = "Without a file"
LONGEST_NAME = 20


def _flag(name: str, metavar: str, help: str, **more: Any) -> Flag:
    return Flag(names=(name,), metavar=metavar, help=help, group=TITLE, **more)


_TABLE: tuple[tuple[Flag, tuple[str, ...]], ...] = (
    (_flag("--app", "FILE_OR_DIR", "an application", arity=Arity.REPEATED), ("apps",)),
    (replace(SERVER_NAME, group=TITLE), ("public", "hosts")),
    (_flag("--public-port", "PORT", "the port that browsers use"), ("public", "port")),
    (replace(PREFIX, group=TITLE), ("public", "prefix")),
    (_flag("--port", "PORT", "the first instance's port", default="5100"), ("instances", "port")),
    (_flag("--instances", "N", "the number of instances", default="1"), ("instances", "count")),
    (_flag("--proxy", "KIND", "the web server in front", choices=PROXIES, default="nginx"), ("proxy", "kind")),
    (_flag("--proxy-version", "VERSION", "its version, or detect"), ("proxy", "version")),
    (_flag("--static-dir", "DIR", "let the proxy serve BokehJS from this copy of it"), ("paths", "static")),
    (_flag("--tls-cert", "FILE", "the certificate, with its chain"), ("tls", "certificate")),
    (_flag("--tls-key", "FILE", "its private key"), ("tls", "key")),
    (_flag("--embed-origin", "ORIGIN", "a site that embeds the applications", arity=Arity.REPEATED),
     ("embedding", "origins")),
    (_flag("--session-ids", "MODE", "how session ids are made; the key is in BOKEH_SECRET_KEY",
           choices=choices("unsigned", "signed", "external-signed")), ("sessions", "ids")),
)  # fmt: skip

FLAGS: tuple[Flag, ...] = tuple(flag for flag, _ in _TABLE)
KEYS: Mapping[str, tuple[str, ...]] = {flag.name: key for flag, key in _TABLE}
"""The key of a deployment's file that each of the flags gives."""


def values_of(namespace: argparse.Namespace) -> dict[str, Any]:
    """The deployment that flags describe, as a file would say it."""
    # The command and the folder are those of this run.
    values: dict[str, Any] = {"paths": {"command": "app-server", "apps": os.getcwd()}}
    for flag, (block, *rest) in _TABLE:
        if rest and flag.name in namespace:
            words = getattr(namespace, flag.name)
            if flag.metavar in ("FILE", "DIR"):
                words = [os.path.abspath(words[0])]
            values.setdefault(block, {})[rest[0]] = list(words) if flag.arity is Arity.REPEATED else words[0]
    if "static_dir" in namespace:
        values.setdefault("proxy", {})["static"] = True
    if "session_ids" in namespace and namespace.session_ids[0] in ("signed", "external-signed"):
        values["secrets"] = {"secret_key": {"environment": "BOKEH_SECRET_KEY"}}
    return {"apps": _named(namespace.app), **values}


def _named(paths: Sequence[str]) -> dict[str, str]:
    """The applications by names that a file may have: of ASCII letters, digits, _ and -, a letter first."""
    apps: dict[str, str] = {}
    for path in paths:
        stem = Path(path).stem or "app"
        name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem)[:LONGEST_NAME] or "app"
        name = name if name[0].isalpha() else f"a{name}"
        while name in apps:
            name += "x"
        apps[name] = path
    return apps


def as_typed(fault: OperatorError) -> OperatorError:
    """The same fault of a deployment that flags describe, with the flag in place of the key."""
    where = (fault.where or "").removeprefix(f"{SOURCE}:1:1: ")
    for name, key in KEYS.items():
        if len(key) == 2 and re.fullmatch(rf"{key[0]}\.{key[1]}(\[\d+\])?", where):
            where = dashed(name)
    return OperatorError(fault.what, where=where or None, hint=fault.hint)


def command_line(namespace: argparse.Namespace) -> tuple[str, ...]:
    """The command line that repeats this run, without the target, for the head of each file."""
    words = ["app-server", "config"]
    for name, flag in (
        ("file", "-f"), ("environment", "-e"), ("build_context", "--build-context"),
        *((name, dashed(name)) for name in KEYS),
    ):  # fmt: skip
        for word in getattr(namespace, name, ()):
            words += [flag, word]
    return tuple(words)
