"""The inventory, read by Ansible."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import find, run, write
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """Whether Ansible finds every machine in it."""
    program = find("ansible-inventory")
    if program is None:
        yield CheckFinding("note", "Ansible is not installed here; the inventory was not read", where="inventory.yml")
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        (path,) = write(Path(name), [("inventory.yml", files["inventory.yml"])])
        # A separate home: Ansible keeps temporary files there.
        answer = run([program, "-i", path, "--list"], {"ANSIBLE_HOME": name, "ANSIBLE_NOCOLOR": "1"})
        found = set(_hosts(answer.text))
        expected = {machine.name for machine in plan.machines}
        if answer.status != 0 or found != expected:
            said = " ".join(answer.lines)[-300:]
            yield CheckFinding("fault", f"Ansible finds other hosts than expected: {said}", where="inventory.yml")
        else:
            yield CheckFinding("good", f"Ansible finds {', '.join(sorted(found))}", where="inventory.yml")


def _hosts(text: str) -> list[str]:
    try:
        return list(json.loads(text[text.index("{") :])["_meta"]["hostvars"])
    except (ValueError, KeyError):
        return []
