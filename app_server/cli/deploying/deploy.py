"""`app-server deploy TARGET`: roll out what deploy.yaml describes, without interrupting anyone."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Command, Word, switch
from app_server.cli.deployments.described import command_line
from app_server.cli.deployments.flags import BUILD_CONTEXT, INCLUDE, OF_A_FILE, PACKAGES, dashed, file_of
from app_server.cli.deployments.job import ALL, Job
from app_server.cli.deployments.loading import containers_plan, need_deployment_packages, read
from app_server.cli.deployments.reporting import REPORTING, check_reporting, progress_of, with_end
from app_server.cli.deployments.stores import STORE, store_of
from app_server.cli.terminal import paint_for
from app_server.errors import OperatorError

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
    "build_context": "compose",
    "packages": "ansible",
    "include": "ansible",
    "no_doctor": "ansible",
    "no_resolve": "swarm",
}

COMMAND = Command(
    forms=("compose|swarm|ansible [-f FILE] [-e NAME] [flags]",),
    text="Build and try what is new, then replace one instance after another: drain, stop, start, wait until it is "
    "healthy, next. If an instance does not get healthy, the previous release is restored.",
    examples=("app-server deploy compose", "app-server deploy ansible -e staging",
              "app-server deploy compose --rollback"),
    words=(Word(name="target", metavar="TARGET", help="where to deploy", required=True, choices=TARGETS),),
    flags=(
        *OF_A_FILE,
        switch("--rollback", "restore the previous release"),
        switch("--no-hooks", "do not run the programs in hooks/, next to FILE"),
        STORE,
        switch("--all", "replace unchanged instances too, such as after a new secret", group="Only compose"),
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
    need_deployment_packages()
    check_reporting(namespace)
    for name in ("all", "build_context", "packages", "include"):
        if "rollback" in namespace and name in namespace:
            raise OperatorError("has no meaning with --rollback", where=dashed(name), hint="Leave it out.")
    for name, target in ONE_TARGETS.items():
        if name in namespace and namespace.target != target:
            what = f"has no meaning with {namespace.target}"
            raise OperatorError(what, where=dashed(name), hint="Leave it out.")
    prepared = {"ansible": _ansible, "swarm": _swarm, "compose": _compose}[namespace.target]
    return with_end(namespace, prepared(namespace, environ))


def _compose(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout.compose import deploy, roll_back

    plan = containers_plan(namespace)
    folder = Path(plan.source).absolute().parent
    store = store_of(namespace, folder, plan.name)
    progress = progress_of(namespace, environ)
    if "rollback" in namespace:
        return partial(roll_back, plan.name, store, folder, progress, hooks=_hooks(namespace, plan))
    everything = "all" in namespace
    return partial(deploy, plan, store, folder, progress, everything=everything, hooks=_hooks(namespace, plan))


def _swarm(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout import swarm

    plan = containers_plan(namespace, "containers")
    folder = Path(plan.source).absolute().parent
    store, progress = store_of(namespace, folder, plan.name), progress_of(namespace, environ)
    hooks, resolve = _hooks(namespace, plan), "no_resolve" not in namespace
    if "rollback" in namespace:
        return partial(swarm.roll_back, plan.name, store, progress, hooks=hooks, resolve=resolve)
    return partial(swarm.deploy, plan, store, folder, progress, hooks=hooks, resolve=resolve)


def _ansible(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    from app_server.deployment.rollout import ansible

    loaded = read(namespace)
    job = Job(ALL, loaded, command_line(namespace), paint_for(sys.stderr, environ))
    plan = job.plan
    store = store_of(namespace, Path(loaded.file).absolute().parent, plan.name)
    progress = progress_of(namespace, environ)
    if "rollback" in namespace:
        roll_out = partial(ansible.roll_back, plan, store, progress, hooks=_hooks(namespace, plan))
    else:
        roll_out = partial(
            ansible.deploy, plan, job.files, Path(loaded.file).resolve().parent, store, progress,
            packages=[Path(path) for path in getattr(namespace, "packages", [])],
            include=getattr(namespace, "include", []), hooks=_hooks(namespace, plan),
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
