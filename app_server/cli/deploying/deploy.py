"""`app-server deploy TARGET`: roll out what deploy.yaml describes, without interrupting anyone."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_server import system
from app_server.cli.command import Command, Flag, Word, switch, wrong_choice
from app_server.cli.commands import verbs_of
from app_server.cli.deployments.described import command_line
from app_server.cli.deployments.flags import BUILD_CONTEXT, INCLUDE, OF_A_FILE, PACKAGES, dashed, file_of
from app_server.cli.deployments.job import ALL, Job
from app_server.cli.deployments.loading import containers_plan, need_deployment_packages, read
from app_server.cli.deployments.reporting import REPORTING, check_reporting, progress_of, with_end
from app_server.cli.deployments.stores import STORE, store_of
from app_server.cli.terminal import paint_for
from app_server.errors import OperatorError
from app_server.settings import Arity

if TYPE_CHECKING:
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.rollout.hooks import RolloutHooks

TARGETS = {
    "compose": "on this machine, with Docker",
    "swarm": "in a swarm, from one of its managers",
    "ansible": "on the hosts of the deployment",
}
# Flags that only one target has.
ONE_TARGETS = {
    "all": "compose",
    "pull": "compose",
    "build_context": "compose",
    "packages": "ansible",
    "include": "ansible",
    "no_doctor": "ansible",
    "no_resolve": "swarm",
}

COMMAND = Command(
    forms=(
        "compose|swarm|ansible [-f FILE] [-e NAME] [--name NAME] [flags]",
        "[TARGET] --rollback [RELEASE] [flags]",
        "[TARGET] --list [--json]",
    ),
    text="Build and try what is new, then replace one instance after another: drain, stop, start, wait until it is "
    "healthy, next. If an instance does not get healthy, the previous release is restored.",
    examples=("app-server deploy compose", "app-server deploy ansible -e staging",
              "app-server deploy --list", "app-server deploy --rollback v1.4"),
    words=(Word(name="target", metavar="TARGET", help="where to deploy", choices=TARGETS),),
    flags=(
        *OF_A_FILE,
        Flag(names=("--name",), metavar="NAME", help="what to call this release, such as v1.4"),
        Flag(names=("--rollback",), metavar="[RELEASE]", arity=Arity.OPTIONAL,
             help="restore the previous release, or the one with this number, name or revision"),
        switch("--list", "show the releases that can be restored"),
        switch("--no-hooks", "do not run the programs in hooks/, next to FILE"),
        STORE,
        switch("--all", "replace unchanged instances too, such as after a new secret", group="Only compose"),
        switch("--pull", "get images that are not built here from their registry again", group="Only compose"),
        replace(BUILD_CONTEXT, group="Only compose"),
        replace(PACKAGES, group="Only ansible"),
        replace(INCLUDE, group="Only ansible"),
        switch("--no-doctor", "do not check the deployment from outside at the end", group="Only ansible"),
        switch("--no-resolve", "do not ask a registry for the images: every node has them", group="Only swarm"),
        *REPORTING,
    ),
)  # fmt: skip


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What rolls out, after the deployment's rules have been checked."""
    hint = "Run it on Linux or macOS, or in Windows' Subsystem for Linux; `app-server config` and `bundle` work here."
    system.require(system.can_fork(), "file locks and links to folders", where="app-server deploy", hint=hint)
    need_deployment_packages()
    check_reporting(namespace)
    _find_target(namespace)
    if "list" in namespace:
        refuse_with(namespace, "--list", "rollback", "name", *ONE_TARGETS)
        return _list(namespace)
    if "name" in namespace:
        from app_server.deployment.releases.kept import check_name

        check_name(namespace.name[0], (*TARGETS, *verbs_of("deploy")))
    if "rollback" in namespace:
        refuse_with(namespace, "--rollback", "all", "pull", "build_context", "packages", "include", "name")
    refuse_with(namespace, namespace.target, *(name for name, its in ONE_TARGETS.items() if its != namespace.target))
    prepared = {"ansible": _ansible, "swarm": _swarm, "compose": _compose}[namespace.target]
    return with_end(namespace, prepared(namespace, environ))


def refuse_with(namespace: argparse.Namespace, what: str, *names: str) -> None:
    """OperatorError for a flag that was typed and has no meaning with something else."""
    for name in names:
        if name in namespace:
            raise OperatorError(f"has no meaning with {what}", where=dashed(name), hint="Leave it out.")


def _find_target(namespace: argparse.Namespace) -> None:
    """Set the target that was typed, or the one of the last roll-out. OperatorError if neither is there."""
    from app_server.cli.daily.target import asked

    back = getattr(namespace, "rollback", None)
    if back == "":
        # Such as "$TAG" of a variable that is not set: that is not to mean the previous one.
        hint = "Leave it out for the previous release."
        raise OperatorError("names no release", where="--rollback", hint=hint)
    if back in TARGETS and not namespace.target:
        # `deploy --rollback compose`: no release can have this name.
        namespace.target, namespace.rollback = back, None
    if not namespace.target:
        if "rollback" not in namespace and "list" not in namespace:
            raise wrong_choice("", (*TARGETS, *verbs_of("deploy")), "TARGET", COMMAND.examples[0])
        namespace.target = asked(namespace).target


def _list(namespace: argparse.Namespace) -> Callable[[], int]:
    from app_server.cli.daily.listing import prepare as listing

    return listing(namespace)


def _called(namespace: argparse.Namespace) -> dict[str, str]:
    """The name of the release to make, if it has one."""
    return {"called": namespace.name[0]} if "name" in namespace else {}


def _to(namespace: argparse.Namespace) -> dict[str, str]:
    """The release to go back to, if one was named."""
    return {"to": namespace.rollback} if namespace.rollback else {}


def _compose(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout.compose import deploy, roll_back

    plan = containers_plan(namespace)
    folder = Path(plan.source).absolute().parent
    store = store_of(namespace, folder, plan.name)
    progress = progress_of(namespace, environ)
    if "rollback" in namespace:
        return partial(roll_back, plan.name, store, folder, progress, hooks=_hooks(namespace, plan), **_to(namespace))
    everything, hooks = "all" in namespace, _hooks(namespace, plan)
    more: dict[str, Any] = {**_called(namespace), **({"pulls": True} if "pull" in namespace else {})}
    return partial(deploy, plan, store, folder, progress, everything=everything, hooks=hooks, **more)


def _swarm(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout import swarm

    plan = containers_plan(namespace, "containers")
    folder = Path(plan.source).absolute().parent
    store, progress = store_of(namespace, folder, plan.name), progress_of(namespace, environ)
    hooks, resolve = _hooks(namespace, plan), "no_resolve" not in namespace
    if "rollback" in namespace:
        return partial(swarm.roll_back, plan.name, store, progress, hooks=hooks, resolve=resolve, **_to(namespace))
    return partial(swarm.deploy, plan, store, folder, progress, hooks=hooks, resolve=resolve, **_called(namespace))


def _ansible(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout import ansible

    loaded = read(namespace)
    job = Job(ALL, loaded, command_line(namespace), paint_for(sys.stderr, environ))
    plan = job.plan
    store = store_of(namespace, Path(loaded.file).absolute().parent, plan.name)
    progress = progress_of(namespace, environ)
    if "rollback" in namespace:
        roll_out = partial(ansible.roll_back, plan, store, progress, hooks=_hooks(namespace, plan), **_to(namespace))
    else:
        roll_out = partial(
            ansible.deploy, plan, job.files, Path(loaded.file).resolve().parent, store, progress,
            packages=[Path(path) for path in getattr(namespace, "packages", [])],
            include=getattr(namespace, "include", []), hooks=_hooks(namespace, plan), **_called(namespace),
        )  # fmt: skip
    address = f"{plan.site.scheme}://{plan.site.authority}{plan.apps[0].url}"
    return partial(_and_examine, roll_out, None if "no_doctor" in namespace else address, namespace)


def _hooks(namespace: argparse.Namespace, plan: Plan) -> RolloutHooks:
    """The programs next to the deployment's file, and what their environment says."""
    from app_server.deployment.rollout.hooks import RolloutHooks

    about = {
        "name": plan.name,
        "target": namespace.target,
        "action": "rollback" if "rollback" in namespace else "deploy",
        "environment": namespace.environment[0] if "environment" in namespace else "",
        "url": plan.site.url,
        "hosts": " ".join(machine.name for machine in plan.machines),
    }
    file = file_of(getattr(namespace, "file", None))
    folder = None if "no_hooks" in namespace else file.resolve().parent
    return RolloutHooks(folder, about, to_stderr="json" in namespace)


def _and_examine(roll_out: Callable[[], int], address: str | None, namespace: argparse.Namespace) -> int:
    """Roll out, then check an application from outside; the first status that is not 0."""
    status = roll_out()
    if address is None:
        return status
    words = [sys.executable, "-m", "app_server", "doctor", address]
    if "quiet" not in namespace and "json" not in namespace:
        looked = subprocess.call(words)
        return status or looked
    report = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if report.returncode != 0:
        sys.stderr.write(report.stdout)
    return status or report.returncode
