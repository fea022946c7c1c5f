"""`app-server completion`, and what bash does with it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.running.completion import SHELLS, script


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_flags(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell], {}) == EXIT_OK
    printed = capsys.readouterr().out
    for word in ("serve", "completion", "session-ids", "external-signed", "websocket-compression-mem-level"):
        assert word in printed


def test_bash_completes_flags_their_choices_and_commands(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    path = tmp_path / "completion.bash"
    path.write_text(script("bash"), encoding="utf-8")

    def complete(*words: str) -> list[str]:
        line = " ".join(words)
        program = (
            f"source {path}; COMP_WORDS=({line} {'' if words[-1] else chr(39) * 2}); COMP_CWORD={len(words) - 1}; "
            f"$(complete -p app-server | sed 's/.*-F \\([^ ]*\\).*/\\1/') app-server '{words[-1]}' '{words[-2]}'; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run([bash, "-c", program], capture_output=True, text=True, check=False, timeout=30)
        return done.stdout.split()

    assert complete("app-server", "inf") == ["info"]
    assert complete("app-server", "serve", "--session-t") == ["--session-token-expiration"]
    assert complete("app-server", "serve", "--session-ids", "ext") == ["external-signed"]
