"""The script that starts the instances, read by a shell."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from app_server.deployment.render import render
from app_server.deployment.render.services.commands import quote
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL, planned


def script(folder: Path, text: str = "") -> str:
    return render("commands", planned(folder, MINIMAL + text))["commands/start.sh"].text


def test_single_instance_takes_the_shells_place(tmp_path: Path) -> None:
    last = script(tmp_path).splitlines()[-1]
    assert last.startswith("exec /opt/app-server/bin/app-server serve myapp.py ")


def test_several_run_beside_each_other_and_are_waited_for(tmp_path: Path) -> None:
    lines = script(tmp_path, "instances: 3\n").splitlines()
    assert lines[-1] == "wait" and [line[-2:] for line in lines[-4:-1]] == [" &"] * 3


def test_environment_reaches_the_instances_as_it_was_written(tmp_path: Path) -> None:
    key = tmp_path / "a key"
    own = f"paths: {{apps: {tmp_path}, command: [sh, -c, 'env; true']}}\nsecrets: {{secret_key: {{file: '{key}'}}}}\n"
    text = script(tmp_path, own + 'service: {environment: {A: "it\'s $HOME; `x` \\"y\\""}}\n')
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True, timeout=30)
    assert 'A=it\'s $HOME; `x` "y"' in done.stdout.splitlines()
    assert f"BOKEH_SECRET_KEY_FILE={key}" in done.stdout.splitlines()


def test_secret_of_a_variable_has_to_be_set(tmp_path: Path) -> None:
    own = f"paths: {{apps: {tmp_path}, command: [sh, -c, 'env; true']}}\n"
    text = script(tmp_path, own + "secrets: {secret_key: {environment: KEY}}\n")
    for environ, status, said in (({"KEY": "k"}, 0, ""), ({}, 2, "the secret secret_key is not set")):
        done = subprocess.run(
            ["sh", "-c", text], env={"PATH": "/usr/bin:/bin", **environ}, capture_output=True, text=True, check=False
        )
        assert done.returncode == status and said in done.stderr
        assert status or "BOKEH_SECRET_KEY=k" in done.stdout.splitlines()


def test_credential_is_there_under_systemd_only(tmp_path: Path) -> None:
    text = script(tmp_path, "secrets: {secret_key: {credential: key}}\n")
    assert "\n# BOKEH_SECRET_KEY_FILE: systemd's credential key is available only under systemd\n" in text


def test_word_that_is_more_than_a_line_is_refused() -> None:
    with pytest.raises(OperatorError, match="which cannot be written into a shell's command"):
        quote(("a\nb",))
