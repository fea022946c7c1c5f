"""The roles and playbooks keep the rules of ansible-lint's strictest profile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_ansible_lint_finds_nothing() -> None:
    programs = Path(sys.executable).parent
    environ = {**os.environ, "ANSIBLE_CONFIG": "ansible.cfg", "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(
        [programs / "ansible-lint", "--offline", "-q", "--nocolor", "--profile", "production", "."],
        cwd=ROOT / "ansible", env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
