"""`app-server image`: what is refused before an engine is asked, and what is without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_USAGE, main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an application."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.py").write_text("", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one.py", "-f", "x.yaml"], "--file: has no meaning with applications. Leave one of them out."),
        (["one.py", "-e", "x"], "--environment: has no meaning with applications. Leave one of them out."),
        (["two.py"], "two.py: there is no such file or folder"),
        (["one.py", "--requirements", "x.txt"], "--requirements x.txt: there is no such file"),
        (["one.py", "--pip-conf", "pip.conf"], "--pip-conf pip.conf: there is no such file"),
        (["one.py", "--tag", "One"], "--tag: 'One' is not the name of an image. "
                                     "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."),
        (["one.py", "--from", "a b"], "--from: 'a b' is not the name of an image. "
                                      "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."),
        (["one.py", "--build-context", "."], "--build-context FOLDER: is not a clone of app-server. "
                                             "Name the folder that contains docker/app-server/Dockerfile."),
        (["one.py", "--base"], "FILE_OR_DIR: has no meaning with --base. Leave one of them out."),
        (["--base", "--from", "x"], "--from: has no meaning with --base. Leave one of them out."),
        (["--base", "--no-try"], "--no-try: has no meaning with --base. Leave one of them out."),
        (["--base", "-f", "x.yaml"], "--file: has no meaning with --base. Leave one of them out."),
        (["--base", "-t", "One"], "--tag: 'One' is not the name of an image. "
                                  "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["image", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {message.replace('FOLDER', str(home))}\n"


def test_without_applications_the_deployment_is_looked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image"], {}) == EXIT_USAGE
    assert capsys.readouterr().err.startswith("app-server: deploy.yaml: ")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 1", "no container engine answers. Start Docker: systemctl start docker."),
        ("[ $1 = version ] && echo 26.1.5", "docker's buildx plugin is not installed. Install docker-buildx-plugin."),
    ],
)
def test_engine_that_cannot_build_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    (home / "docker").write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    (home / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(home))
    assert main(["image", "one.py"], {}) == EXIT_FAILED
    assert capsys.readouterr().err == f"app-server: {message}\n"
