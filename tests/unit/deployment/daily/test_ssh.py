"""The words that run a script as root on a host: what it reads is what it was sent, without sudo's password."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from app_server.deployment.daily.ssh import typed, words_on
from app_server.deployment.plan.values import Machine

SUDO = """#!/bin/sh
# As sudo does: -n asks for nothing, -S reads a line if a password is needed.
case $1 in
    -n) [ $FREE ] || { echo "sudo: a password is required" >&2; exit 1; } ;;
    -S) [ $FREE ] || { IFS= read -r word; [ "$word" = secret ] || exit 1; } ;;
esac
while [ "$1" != -- ] && [ "$1" != true ]; do shift; done
[ "$1" != -- ] || shift
exec "$@"
"""


@pytest.mark.parametrize(
    ("user", "free", "password"),
    [("0", "", "secret"), ("1000", "yes", "secret"), ("1000", "", "secret"), ("0", "", None), ("1000", "yes", None)],
)
def test_script_reads_what_was_sent_whether_sudo_needs_a_password_or_not(
    user: str, free: str, password: str | None, tmp_path: Path
) -> None:
    for name, script in (("sudo", SUDO), ("id", f"#!/bin/sh\necho {user}\n")):
        (tmp_path / name).write_text(script, encoding="ascii")
        (tmp_path / name).chmod(0o755)
    words = words_on(Machine("one", "localhost", "localhost", (), False), "cat", types=password is not None)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FREE": free}
    sent = f"{typed(password)}a\nb"
    done = subprocess.run(words, input=sent, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("a\nb", "", 0)
