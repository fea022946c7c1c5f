"""`app-server bundle`: what it refuses before an engine is asked, and that it leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main

DEPLOYMENT = "name: tools\napps: {myapp: myapp.py}\npublic: tools.example.org\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an application."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "myapp.py").touch()
    return tmp_path


def engine(folder: Path, script: str) -> None:
    """A command `docker`, in a folder of programs."""
    folder.mkdir()
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    (folder / "docker").chmod(0o755)


def test_help_names_every_flag(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", "--help"], {}) == EXIT_OK
    printed = capsys.readouterr().out
    for flag in ("-f, --file", "-e, --environment", "--build-context", "-o, --output", "--force"):
        assert f"  {flag} " in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "deploy.yaml: there is no such file. `app-server init` writes one."),
        (["-f", "x.yaml"], "x.yaml: there is no such file. `app-server init` writes one."),
        (["--outptu", "x"], "--outptu: unknown argument. Did you mean --output?"),
        (["--output"], "-o: expected 1 argument. See `app-server bundle --help`."),
    ],
)
def test_what_makes_no_sense_is_one_line(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["bundle", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {message}\n"


def test_faulty_deployment_is_said_before_an_engine_is_asked(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home))
    (home / "deploy.yaml").write_text(DEPLOYMENT + "instances: 0\n", encoding="utf-8")
    assert main(["bundle"], {}) == EXIT_USAGE
    message = "deploy.yaml:4:1: instances: expected a whole number from 1 to 512, not '0'"
    assert capsys.readouterr().err == f"app-server: {message}\n"


@pytest.mark.parametrize(
    ("words", "name"), [([], "tools.tar.gz"), (["-o", "x.tgz"], "x.tgz"), (["--output", "a/b.tgz"], "a/b.tgz")]
)
def test_archive_that_is_there_is_kept(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], name: str
) -> None:
    monkeypatch.setenv("PATH", str(home))  # no engine is asked, whatever goes wrong
    (home / "deploy.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    (home / "a").mkdir()
    (home / name).write_text("mine", encoding="utf-8")
    assert main(["bundle", *words], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"app-server: {name}: is there already. Choose another --output, or give --force.\n"
    )
    assert (home / name).read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (None, "docker is not installed. Install Docker Engine and its compose plugin."),
        ("exit 1", "no container engine answers. Start Docker: systemctl start docker."),
        ("echo 24.0.7", "the container engine is 24.0.7, and 25.0 is needed. Install a newer one."),
        ("[ $1 = version ] && echo 26.1.5", "docker's compose plugin is not installed. Install docker-compose-plugin."),
        ("[ $1 = version ] && echo 26.1.5 || echo 2.19.1",
         "docker compose is 2.19.1, and 2.20 is needed. Install a newer one."),
    ],
)  # fmt: skip
def test_engine_that_cannot_help_is_one_line_and_leaves_the_old_archive(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, script: str | None, message: str
) -> None:
    (home / "deploy.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    (home / "tools.tar.gz").write_text("old", encoding="utf-8")
    if script is not None:
        engine(home / "bin", script)
    before = sorted(os.listdir(home))
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert main(["bundle", "--force"], {}) == EXIT_FAILED
    assert capsys.readouterr().err == f"app-server: {message}\n"
    assert sorted(os.listdir(home)) == before
    assert (home / "tools.tar.gz").read_text(encoding="utf-8") == "old"
