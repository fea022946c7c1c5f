"""systemd's units, checked by `systemd-analyze verify`, and their sandbox, rated by `systemd-analyze security`."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, of_target, run, write
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files

# Of 10: systemd says OK up to 5; an unprotected service has 9.6.
MOST_EXPOSED = 1.5
UNIT_ENDINGS = (".service", ".target")


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What is wrong with the units of the instances."""
    yield from check_units(files, "systemd")


def check_units(files: Files, target: str) -> Iterator[CheckFinding]:
    """What is wrong with the units among a target's files."""
    units = [(path, file) for path, file in of_target(files, target) if path.endswith(UNIT_ENDINGS)]
    program = find("systemd-analyze")
    if program is None:
        hint = "Check on a host that runs systemd."
        yield CheckFinding(
            "note", "systemd-analyze is not installed here; the units were not read", where=target, hint=hint
        )
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name)
        paths = write(folder, units)
        findings = [*_verify(program, folder, paths), *_security(program, paths)]
        yield from findings
        if not any(finding.level in ("warning", "fault") for finding in findings):
            yield CheckFinding("good", f"systemd reads the {len(paths)} units", where=target)


def _verify(program: str, folder: Path, paths: list[Path]) -> Iterator[CheckFinding]:
    answer = run([program, "verify", "--man=no", "--recursive-errors=no", *paths])
    for line in answer.lines:
        line = line.replace(f"{folder}/", "")
        missing = re.search(r"Command (\S+) is not executable: No such file", line)
        if missing is not None:
            yield CheckFinding("note", "is not on this machine; it was not started", where=missing[1])
        # What it reports about other units of the machine is not ours.
        elif any(line.startswith((f"{path.name}:", path.stem)) for path in paths):
            yield CheckFinding("fault", f"systemd: {line}", where="systemd")
    if answer.status != 0 and not any("is not executable" in line for line in answer.lines):
        yield CheckFinding("fault", f"systemd-analyze verify fails: {' '.join(answer.lines)[-300:]}", where="systemd")


def _security(program: str, paths: list[Path]) -> Iterator[CheckFinding]:
    for path in paths:
        if path.suffix != ".service":
            continue
        answer = run([program, "security", "--offline=true", "--no-pager", path])
        level = re.search(r"exposure level for .*: ([0-9.]+)", answer.text)
        if level is None:
            # --offline came with systemd 250.
            yield CheckFinding("note", "this systemd-analyze cannot rate the sandbox of a unit", where=path.name)
        elif float(level[1]) > MOST_EXPOSED:
            what = f"systemd-analyze security says {level[1]}; what was generated has {MOST_EXPOSED:g} at most"
            yield CheckFinding("warning", what, where=path.name)
