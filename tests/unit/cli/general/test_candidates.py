"""What completes a command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli.commands import COMMANDS
from app_server.cli.deploying.config import SCHEMA
from app_server.cli.general.candidates import FILES, answer
from app_server.deployment.targets import TARGETS
from tests.unit.cli.pretending import pretending


def offered(*words: str) -> list[str]:
    """The candidates for the last word, without their descriptions."""
    return [line.partition("\t")[0] for line in answer(words, {}).splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], [*COMMANDS, "help"]),
        (["inf"], ["info"]),
        (["-"], ["--help", "--version"]),
        (["help", "sec"], ["secret"]),
        (["help", "secret", ""], []),
        (["nonsense", ""], []),
        (["config", ""], ["all", *TARGETS, SCHEMA]),
        (["config", "-f", "x.yaml", "ngi"], ["nginx"]),
        (["config", "nginx", ""], []),
        (["config", "nginx", "--proxy", ""], ["nginx", "apache", "none"]),
        (["config", "nginx", "--diff", "--che"], ["--check"]),
        (["config", "nginx", "--output", ""], [FILES]),
        (["deploy", ""], ["compose", "swarm", "ansible", "status", "logs", "maintenance", "history", "exec"]),
        (["deploy", "-e", "staging", ""], ["compose", "swarm", "ansible"]),
        (["deploy", "maintenance", ""], ["on", "off"]),
        (["deploy", "status", "--target", ""], ["compose", "swarm", "ansible"]),
        (["help", "deploy", ""], ["status", "logs", "maintenance", "history", "exec"]),
        (["deploy", "-e", ""], []),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["completion", "-"], ["--help"]),
        (["tunnel", "--show", ""], ["commands", "config", "unit", "gateway"]),
        (["init", "--proxy", ""], ["nginx", "apache", "none"]),
        (["init", "--proxy=ap"], ["--proxy=apache"]),
        (["init", "--proxy", "=", "ap"], ["apache"]),
        (["init", "--proxy", "="], ["nginx", "apache", "none"]),
        (["init", "--nosuch=ap"], []),
        (["serve", "--session-t"], ["--session-token-expiration"]),
        (["serve", "a.py", "--session-ids", "ext"], ["external-signed"]),
        (["serve", "a.py", "--port", "80", ""], [FILES]),
        (["serve", "a.py", "--show", ""], [FILES]),
        (["serve", "a.py", "--dev", "b.py", ""], [FILES]),
        (["passwd", ""], [FILES]),
        (["passwd", "users", ""], []),
        (["doctor", ""], []),
        (["doctor", "https://a.test", "--proxy", "n"], ["nginx"]),
        (["html", "a.py", "--resources", ""], ["inline", "cdn", "server"]),
    ],
)
def test_what_completes_a_word(words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


def test_line_has_a_description() -> None:
    assert answer(["deploy", "com"], {}) == "compose\ton this machine, with Docker"


@pytest.mark.parametrize("command", ["status", "drain"])
def test_running_servers_are_offered(command: str, runtime_base: tuple[Path, dict[str, str]]) -> None:
    folder, environ = runtime_base
    with pretending(folder) as process:
        assert answer([command, ""], environ) == f"{process.pid}\tport 5006 with /board"
    assert answer([command, ""], environ) == ""
