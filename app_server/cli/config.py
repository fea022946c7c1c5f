"""`app-server config TARGET`: the files of a deployment, worked out of deploy.yaml."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from app_server.cli.terminal import say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.load import Loaded
    from app_server.deployment.plan import Plan

DEFAULT_FILE = "deploy.yaml"
ALL = "all"

USAGE = (
    "app-server config TARGET [-f FILE] [-e NAME]\n\n"
    "  -f, --file FILE         what describes the deployment (deploy.yaml)\n"
    "  -e, --environment NAME  one of its environments, such as staging"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words and flags of the command."""
    parser.add_argument("target", nargs="?", default="", metavar="TARGET", help="what to print, such as nginx")
    parser.add_argument("-f", "--file", nargs=1, metavar="FILE", help="what describes the deployment")
    parser.add_argument("-e", "--environment", nargs=1, metavar="NAME", help="one of its environments")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints the target, after the deployment has been found to make sense."""
    need_packages()
    from app_server.deployment.render import TARGETS

    known = [*TARGETS, ALL]
    if namespace.target not in known:
        what = f"expected one of {', '.join(known)}" + (f", not {namespace.target!r}" if namespace.target else "")
        raise OperatorError(what, where="TARGET", hint="Such as: app-server config nginx")
    loaded = read(namespace)
    return partial(run, namespace.target, loaded, command_line(namespace))


def need_packages() -> None:
    """Raise OperatorError where the packages are missing that only deployments need."""
    missing = [name for name in ("pydantic", "yaml", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        hint = "Install them with: pip install 'app-server[deploy]'"
        raise OperatorError(f"deployments need the packages {', '.join(missing)}", hint=hint)


def read(namespace: argparse.Namespace) -> Loaded:
    """The deployment that the command line names."""
    from app_server.deployment.load import load

    file = namespace.file[0] if "file" in namespace else DEFAULT_FILE
    return load(file, namespace.environment[0] if "environment" in namespace else None)


def command_line(namespace: argparse.Namespace) -> tuple[str, ...]:
    """The words that make the same again, without the target, for the head of each file."""
    words = ["app-server", "config"]
    if "file" in namespace:
        words += ["-f", namespace.file[0]]
    if "environment" in namespace:
        words += ["-e", namespace.environment[0]]
    return tuple(words)


def run(target: str, loaded: Loaded, words: tuple[str, ...]) -> int:
    """Print the files of a target; 0."""
    from app_server.deployment.render import TARGETS, is_wanted, render

    plans = {layout: plan_of(loaded, layout, words) for layout in {target.layout for target in TARGETS.values()}}
    if target == ALL:
        targets = [name for name in TARGETS if is_wanted(name, plans[TARGETS[name].layout])]
    else:
        targets = [target]
    files = {path: file for name in targets for path, file in render(name, plans[TARGETS[name].layout]).items()}
    for number, (path, file) in enumerate(files.items()):
        if len(files) > 1:
            say(("\n" if number else "") + f"# ==> {path}" + (f" ({file.install})" if file.install else ""))
        say(file.text.removesuffix("\n"))
    return 0


def plan_of(loaded: Loaded, layout: str, words: tuple[str, ...]) -> Plan:
    """The plan for a layout, host or containers."""
    from app_server.deployment.plan import resolve

    return resolve(loaded, layout="containers" if layout == "containers" else "host", regenerate=words)
