"""Checks of what was generated, by the programs that will read it. Nothing is called valid that did not start.

To add one, write `checks/NAME.py` with `check(plan, files) -> Iterable[CheckFinding]` and name it in `CHECKS` under its
target. A check never touches what is installed or running; what it starts listens on free ports, in a folder of its
own, and ends with the check.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files

Level = Literal["good", "note", "warning", "fault"]


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """What a check found: `what` in one sentence without a full stop, `where` the file or key, `hint` what to do.

    `good` is what was proven, `note` what could not be checked; with a `warning` the deployment works, with a `fault`
    it does not.
    """

    level: Level
    what: str
    where: str | None = None
    hint: str | None = None

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.hint is None else f"{text}. {self.hint}"


CHECKS: dict[str, tuple[str, ...]] = {
    "alerts": ("alerts",),
    "all-in-one": ("applications",),
    "apache": ("proxies.apache", "proxies.certificate", "applications"),
    "commands": ("applications",),
    "compose": ("applications",),
    "gunicorn": ("services.gunicorn", "applications", "readable"),
    "inventory": ("inventory", "applications"),
    "kubernetes": ("applications",),
    "kustomize": ("applications",),
    "heroku": ("applications",),
    "cloud-run": ("applications",),
    "spaces": ("applications",),
    "azure": ("applications",),
    "logrotate": ("services.logrotate",),
    "nginx": ("proxies.nginx", "proxies.neighbours", "proxies.certificate", "applications"),
    "ssh": ("services.ssh",),
    "supervisor": ("services.supervisor", "applications", "readable"),
    "swarm": ("applications",),
    "systemd": ("services.systemd", "applications", "readable"),
}
"""The check modules of each target."""


def check(target: str, plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What the checks of a target find in its files."""
    for name in CHECKS.get(target, ()):
        module = importlib.import_module(f"app_server.deployment.checks.{name}")
        found: Iterable[CheckFinding] = module.check(plan, files)
        yield from found
