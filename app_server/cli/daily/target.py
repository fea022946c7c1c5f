"""Which deployment a command is about, and where it was rolled out to."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Flag
from app_server.cli.deployments.flags import DEPLOYMENT, ENVIRONMENT, FILE
from app_server.cli.deployments.loading import need_deployment_packages, plan_of, read
from app_server.cli.deployments.stores import STORE, store_of
from app_server.errors import OperatorError

if TYPE_CHECKING:
    from app_server.deployment.daily.deployed import Deployed
    from app_server.deployment.daily.hosts import HostsDeployment
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.rollout.store import Store
    from app_server.deployment.targets import Layout

TARGETS = {"compose": "", "swarm": "", "ansible": ""}
TARGET = Flag(
    names=("--target",), metavar="TARGET", help="where it runs", choices=TARGETS, group=DEPLOYMENT,
    default="where it was last rolled out to",
)  # fmt: skip
OF_A_DEPLOYMENT = (FILE, ENVIRONMENT, TARGET, replace(STORE, group=DEPLOYMENT))
"""The flags of commands for a deployment that runs."""


@dataclass(frozen=True)
class Asked:
    """The deployment that was named, its target, and the store of its releases."""

    target: str
    plan: Plan
    store: Store

    def deployed(self) -> Deployed:
        """What the target can do."""
        if self.target == "swarm":
            from app_server.deployment.daily.swarm import SwarmDeployment

            return SwarmDeployment(self.plan)
        if self.target == "ansible":
            return self.on_hosts()
        from app_server.deployment.daily.compose import ComposeDeployment

        return ComposeDeployment(self.plan, self.store)

    def on_hosts(self) -> HostsDeployment:
        """What a deployment on hosts can do."""
        from app_server.deployment.daily import ssh
        from app_server.deployment.daily.hosts import HostsDeployment

        return HostsDeployment(self.plan, ssh.password_of(os.environ))


def asked(namespace: argparse.Namespace) -> Asked:
    """The deployment that the command line names. OperatorError if it is not known where it runs."""
    need_deployment_packages()
    from app_server.deployment.render.containers.swarm import with_slots_names

    loaded = read(namespace)
    store = store_of(namespace, Path(loaded.file).absolute().parent, loaded.spec.name)
    # A flag here, and the first word of `app-server deploy`.
    typed = getattr(namespace, "target", "")
    target = (typed if isinstance(typed, str) else typed[0]) or target_of(store)
    if target is None:
        hint = "`app-server deploy compose` rolls it out. Name its target if that was done elsewhere: --target compose."
        raise OperatorError("nothing was rolled out from here yet", where=str(store.folder), hint=hint)
    layouts: dict[str, Layout] = {"compose": "compose", "swarm": "containers", "ansible": "host"}
    plan = plan_of(loaded, layouts[target], ("app-server", "config"))
    return Asked(target, with_slots_names(plan) if target == "swarm" else plan, store)


def target_of(store: Store) -> str | None:
    """The target of the last roll-out, None before the first."""
    from app_server.deployment.rollout.history import read as history

    for entry in reversed(history(store.folder)):
        if entry.target and entry.action in ("deploy", "rollback"):
            return entry.target
    # Older versions wrote no history.
    if store.current() is not None:
        return "compose"
    return "ansible" if (store.folder / "inventory.yml").exists() else None
