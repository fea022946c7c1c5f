"""`app-server env`: a command with the variables of a file."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_USAGE, main
from app_server.cli.general.env import prepare


def test_command_has_the_variables_and_its_status_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "apps.env").write_text("A='$x \"y\"'\nB=file\n", encoding="utf-8")
    shown = 'import os, sys; print(os.environ["A"], os.environ["B"]); sys.exit(7)'
    command = [sys.executable, "-m", "app_server", "env", "--env-file", "apps.env", sys.executable, "-c", shown]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "B": "set"}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, '$x "y" set\n', "")


def test_file_may_be_named_by_the_project_or_by_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.app-server]\nenv-file = "a.env"\n', encoding="utf-8")
    (tmp_path / "a.env").write_text("A=1\n", encoding="utf-8")
    (tmp_path / "b.env").write_text("A=2\n", encoding="utf-8")
    for environ, value in (({}, "1"), ({"APP_SERVER_ENV_FILE": "b.env"}, "2"), ({"A": "3"}, "3")):
        prepared = prepare(argparse.Namespace(words=["--", "ls", "--x"]), environ)
        words, variables = prepared.args  # type: ignore[attr-defined]
        assert (words, variables["A"]) == (["ls", "--x"], value)


def test_mistake_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["env"], ["env", "", "x"]):
        assert main(words, {}) == EXIT_USAGE
        assert capsys.readouterr().err == (
            "app-server: COMMAND: is required. For example: app-server env --env-file .env python migrate.py\n"
        )
    assert main(["env", "--env-file", "/no/such", "true"], {}) == EXIT_USAGE
    assert capsys.readouterr().err == "app-server: --env-file: /no/such does not exist\n"
    assert main(["env", "/no/such"], {"PATH": ""}) == EXIT_FAILED
    assert capsys.readouterr().err == "app-server: /no/such: cannot be started: No such file or directory\n"
