"""Alert rules, read by promtool, which belongs to Prometheus."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, of_target, run, write
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What promtool reports about the rules."""
    program = find("promtool")
    if program is None:
        yield CheckFinding("note", "promtool is not installed here; the rules were not read", where="alerts")
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        (rules,) = write(Path(name), of_target(files, "prometheus", ".rules.yml"))
        answer = run([program, "check", "rules", rules])
    if answer.status == 0:
        yield CheckFinding("good", "Prometheus reads the rules", where="alerts")
    else:
        said = " ".join(answer.lines).replace(f"{name}/", "")
        yield CheckFinding("fault", f"promtool: {said[-300:]}", where="alerts")
