"""`app-server completion`: the script, and the answers to it."""

from __future__ import annotations

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.cli.general.shells import SCRIPTS


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script_of_a_shell_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell], {}) == EXIT_OK
    assert capsys.readouterr().out == SCRIPTS[shell] + "\n"


def test_shell_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion"], {}) == EXIT_USAGE
    assert capsys.readouterr().err == (
        'app-server: SHELL: expected one of bash, zsh, fish. For example: eval "$(app-server completion bash)"\n'
    )


def test_script_is_answered_with_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "--words", "serve", "--session-i"], {}) == EXIT_OK
    assert capsys.readouterr().out == "--session-ids\thow session ids are made\n"
    assert main(["completion", "--words", "serve", ""], {}) == EXIT_OK
    assert capsys.readouterr().out == ":files\n"
