"""`app-server deploy TARGET`: roll out what deploy.yaml says, so that nobody notices."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.deploying.config import (
    ALL,
    DEFAULT_FILE,
    Job,
    add_build_context,
    add_file_arguments,
    command_line,
    containers_plan,
    need_packages,
    read,
)
from app_server.cli.terminal import paint_for, say
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.rollout.hooks import RolloutHooks

TARGETS = ("compose", "ansible")
# Flags that one target alone has.
ONE_TARGETS = {
    "all": "compose",
    "build_context": "compose",
    "packages": "ansible",
    "include": "ansible",
    "no_doctor": "ansible",
}
DEFAULT_STORE = "deployed"

USAGE = """\
app-server deploy compose|ansible [-f FILE] [-e NAME] [flags]

  Builds and tries what is new, then replaces one instance after another: drained,
  stopped, started, healthy, next. What does not get healthy is taken back.
  compose does so on this machine, ansible on the hosts of the deployment.

  -f, --file FILE         what describes the deployment (deploy.yaml)
  -e, --environment NAME  one of its environments, such as staging
  --rollback              put the release before in place again
  --all                   replace what has not changed too, such as after a new secret
                          (compose)
  --build-context DIR     a clone of app-server that the images are built of, whatever
                          the file says (compose; else what this was installed from)
  --packages PATH         what hosts install: requirements, wheels, or a folder of them
                          (ansible, repeatable)
  --include PATTERN       further files beside the applications (ansible, repeatable)
  --no-doctor             do not look at the deployment from outside at the end (ansible)
  --no-hooks              do not run the programs in hooks/, beside FILE
  --store DIR             where releases are kept (deployed/ and the deployment's name,
                          beside FILE)"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words and flags of the command."""
    parser.add_argument("target", nargs="?", default="", metavar="TARGET", help="compose or ansible")
    add_file_arguments(parser)
    parser.add_argument("--rollback", action="store_const", const=True, help="put the release before in place again")
    parser.add_argument("--all", action="store_const", const=True, help="replace what has not changed too")
    add_build_context(parser)
    parser.add_argument("--packages", action="append", metavar="PATH", help="what hosts install")
    parser.add_argument("--include", action="append", metavar="PATTERN", help="further files beside the applications")
    parser.add_argument("--no-doctor", action="store_const", const=True, help="do not look at it from outside")
    parser.add_argument("--no-hooks", action="store_const", const=True, help="do not run the programs in hooks/")
    parser.add_argument("--store", nargs=1, metavar="DIR", help="where releases are kept")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What rolls out, after the deployment has been found to make sense."""
    need_packages()
    if namespace.target not in TARGETS:
        what = f"expected {' or '.join(TARGETS)}" + (f", not {namespace.target!r}" if namespace.target else "")
        raise OperatorError(what, where="TARGET", hint="Such as: app-server deploy compose")
    for name in ("all", "build_context", "packages", "include"):
        if "rollback" in namespace and name in namespace:
            flag = f"--{name.replace('_', '-')}"
            raise OperatorError("has no meaning with --rollback", where=flag, hint="Leave it out.")
    for name, target in ONE_TARGETS.items():
        if name in namespace and namespace.target != target:
            flag = f"--{name.replace('_', '-')}"
            raise OperatorError(f"has no meaning with {namespace.target}", where=flag, hint="Leave it out.")
    return _ansible(namespace, environ) if namespace.target == "ansible" else _compose(namespace)


def _compose(namespace: argparse.Namespace) -> Callable[[], int]:
    from app_server.deployment.rollout.compose import deploy, roll_back
    from app_server.deployment.rollout.store import Store

    plan = containers_plan(namespace)
    folder = Path(plan.source).absolute().parent
    store = Store(_store(namespace, folder, plan.name), plan.name)
    if "rollback" in namespace:
        return partial(roll_back, plan.name, store, folder, say, hooks=_hooks(namespace, plan))
    everything = "all" in namespace
    return partial(deploy, plan, store, folder, say, everything=everything, hooks=_hooks(namespace, plan))


def _ansible(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout import ansible
    from app_server.deployment.rollout.store import Store

    loaded = read(namespace)
    job = Job(ALL, loaded, command_line(namespace), paint_for(sys.stderr, environ))
    plan = job.plan
    store = Store(_store(namespace, Path(loaded.file).absolute().parent, plan.name), plan.name)
    if "rollback" in namespace:
        roll_out = partial(ansible.roll_back, plan, store, say, hooks=_hooks(namespace, plan))
    else:
        roll_out = partial(
            ansible.deploy, plan, job.files, Path(loaded.file).resolve().parent, store, say,
            packages=[Path(path) for path in getattr(namespace, "packages", [])],
            include=getattr(namespace, "include", []), hooks=_hooks(namespace, plan),
        )  # fmt: skip
    address = f"{plan.site.scheme}://{plan.site.authority}{plan.apps[0].url}"
    return partial(_and_look, roll_out, None if "no_doctor" in namespace else address)


def _store(namespace: argparse.Namespace, folder: Path, name: str) -> Path:
    """Where releases are kept: beside the deployment's file, or where they were begun before."""
    if "store" in namespace:
        return Path(namespace.store[0])
    begun = Path(DEFAULT_STORE) / name
    return begun if (begun / "log").exists() else folder / DEFAULT_STORE / name


def _hooks(namespace: argparse.Namespace, plan: Plan) -> RolloutHooks:
    """The programs beside the deployment's file, and what they are told."""
    from app_server.deployment.rollout.hooks import RolloutHooks

    about = {
        "name": plan.name,
        "target": namespace.target,
        "action": "rollback" if "rollback" in namespace else "deploy",
        "environment": namespace.environment[0] if "environment" in namespace else "",
        "url": plan.site.url,
        "hosts": " ".join(machine.name for machine in plan.machines),
    }
    file = Path(namespace.file[0] if "file" in namespace else DEFAULT_FILE)
    return RolloutHooks(None if "no_hooks" in namespace else file.resolve().parent, about)


def _and_look(roll_out: Callable[[], int], address: str | None) -> int:
    """Roll out, then look at an application from outside; the first status that is not 0."""
    status = roll_out()
    if address is None:
        return status
    looked = subprocess.call([sys.executable, "-m", "app_server", "doctor", address])
    return status or looked
