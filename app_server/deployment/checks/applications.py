"""Whether the applications exist: without them every generated file is right, but nothing works."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """A fault for each application that is in none of its possible folders.

    If the host's folder is not on this machine, applications may be only there: then it is a warning.
    """
    folders = _folders(plan)
    known = plan.layout != "host" or os.path.isdir(plan.paths.apps)
    for name, app in plan.spec.apps.items():
        if not any((folder / app.path).exists() for folder in folders):
            shown = ", ".join(dict.fromkeys(str(folder) for folder in folders))
            yield CheckFinding(
                "fault" if known else "warning", f"{app.path} is not in {shown}", where=f"apps.{name}.path",
                hint="Put it there, or correct the path." if known else "Make sure that it is on the host.",
            )  # fmt: skip


def _folders(plan: Plan) -> tuple[Path, ...]:
    """Where this layout takes applications from: the host's folder, what compose mounts, or what images are made of."""
    beside = Path(plan.source).resolve().parent
    if plan.layout == "host":
        return Path(plan.paths.apps), beside
    source = plan.spec.containers.source
    if source is not None:
        return (beside / source,)
    return (*((beside / plan.spec.paths.apps,) if plan.spec.paths.apps else ()), beside)
