"""`app-server deploy TARGET`: roll out what deploy.yaml says, so that nobody notices."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from app_server.cli.config import DEFAULT_FILE, add_file_arguments, need_packages, plan_of, read
from app_server.cli.terminal import say
from app_server.errors import OperatorError

TARGETS = ("compose",)
DEFAULT_STORE = "deployed"

USAGE = """\
app-server deploy compose [-f FILE] [-e NAME] [flags]

  Builds and tries what is new, then replaces one instance after another: drained,
  stopped, started, healthy, next. What does not get healthy is taken back.

  -f, --file FILE         what describes the deployment (deploy.yaml)
  -e, --environment NAME  one of its environments, such as staging
  --rollback              put the release before in place again
  --all                   replace what has not changed too, such as after a new secret
  --store DIR             where releases are kept (deployed/ and the deployment's name)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words and flags of the command."""
    parser.add_argument("target", nargs="?", default="", metavar="TARGET", help="compose")
    add_file_arguments(parser)
    parser.add_argument("--rollback", action="store_const", const=True, help="put the release before in place again")
    parser.add_argument("--all", action="store_const", const=True, help="replace what has not changed too")
    parser.add_argument("--store", nargs=1, metavar="DIR", help="where releases are kept")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What rolls out, after the deployment has been found to make sense."""
    need_packages()
    if namespace.target not in TARGETS:
        what = f"expected {' or '.join(TARGETS)}" + (f", not {namespace.target!r}" if namespace.target else "")
        raise OperatorError(what, where="TARGET", hint="Such as: app-server deploy compose")
    if "rollback" in namespace and "all" in namespace:
        raise OperatorError("has no meaning with --rollback", where="--all", hint="Leave it out.")
    from app_server.deployment.rollout.compose import Store, deploy, roll_back
    from app_server.deployment.rules import enforce

    loaded = read(namespace)
    words = ["app-server", "config", "-f", namespace.file[0] if "file" in namespace else DEFAULT_FILE]
    if "environment" in namespace:
        words += ["-e", namespace.environment[0]]
    plan = plan_of(loaded, "compose", words)
    enforce(loaded, plan)
    store = Store(Path(namespace.store[0]) if "store" in namespace else Path(DEFAULT_STORE) / plan.name)
    if "rollback" in namespace:
        return partial(roll_back, plan.name, store, Path.cwd(), say)
    return partial(deploy, plan, store, Path.cwd(), say, everything="all" in namespace)
