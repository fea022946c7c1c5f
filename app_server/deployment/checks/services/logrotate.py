"""logrotate's rule, read by logrotate, which rotates nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, of_target, run, write
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What logrotate reports about the rule."""
    program = find("logrotate")
    if program is None:
        yield CheckFinding("note", "logrotate is not installed here; its rule was not read", where="logrotate")
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name)
        (rule,) = write(folder, of_target(files, "logrotate"))
        answer = run([program, "--debug", "--state", folder / "state", rule])
        wrong = [line for line in answer.lines if line.startswith("error:")]
        if wrong or answer.status != 0:
            said = " ".join(wrong or answer.lines).replace(f"{folder}/", "")
            yield CheckFinding("fault", f"logrotate: {said[-300:]}", where="logrotate")
        else:
            yield CheckFinding("good", "logrotate reads the rule", where="logrotate")
