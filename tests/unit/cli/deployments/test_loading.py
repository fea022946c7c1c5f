"""The deployment that a command line names, and its faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.cli.deployments.loading import need_packages
from app_server.errors import OperatorError
from app_server.version import how_to_install


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Status, output and complaints of a command line."""
    status = main(argv, {})
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        ("{secret_key: hunter2hunter2}", "secrets.secret_key: expected where the secret is, not the secret itself. "
         "Write it to a file, and set {file: PATH}"),
        ("hunter2hunter2", "secrets: expected a line for each secret, such as `secret_key: {file: PATH}`"),
    ],
)  # fmt: skip
def test_secret_in_the_file_is_refused_and_not_shown(
    home: Path, capsys: pytest.CaptureFixture[str], secrets: str, message: str
) -> None:
    (home / "deploy.yaml").write_text(f"apps: {{a: a.py}}\nsecrets: {secrets}\n", encoding="utf-8")
    status, _, err = run(capsys, "config", "systemd")
    assert status == EXIT_USAGE
    assert message in err and "hunter2" not in err


def test_each_fault_has_a_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "deploy.yaml").write_text("apps: {a: {path: a.py, workers: 2}}\npublic: 'a b'\n", encoding="utf-8")
    status, _, err = run(capsys, "config", "nginx")
    assert status == EXIT_USAGE
    assert [line.partition(" ")[2][:20] for line in err.splitlines()] == [
        "deploy.yaml:1:24: ap",
        "deploy.yaml:2:1: pub",
    ]


def test_build_context_is_another_than_the_file_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "clone/docker/app-server").mkdir(parents=True)
    (home / "clone/docker/app-server/Dockerfile").touch()
    status, out, err = run(capsys, "config", "compose", "--build-context", "clone")
    assert (status, err) == (EXIT_OK, "")
    assert f"context: {home}/clone\n" in out
    assert "#   app-server config compose --build-context clone\n" in out
    status, out, _ = run(capsys, "config", "compose", "--app", "myapp.py", "--build-context", "clone")
    assert status == EXIT_OK and f"context: {home}/clone\n" in out


def test_build_context_that_is_no_clone_is_one_line(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hint = "Name the folder that contains docker/app-server/Dockerfile."
    for words in (("config", "compose"), ("deploy", "compose"), ("bundle",)):
        status, _, err = run(capsys, *words, "--build-context", "nowhere")
        assert status == EXIT_USAGE
        assert err == f"app-server: --build-context {home}/nowhere: is not a clone of app-server. {hint}\n"


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("yaml", "no_such_package"), "certificate: no_such_package is not installed. "),
        (("no_such_package", "nor_this"), "certificate: no_such_package and nor_this are not installed. "),
    ],
)
def test_packages_that_are_missing_are_named_with_the_command_that_installs_them(
    names: tuple[str, ...], what: str
) -> None:
    with pytest.raises(OperatorError) as caught:
        need_packages(*names, where="certificate")
    assert str(caught.value) == what + how_to_install("deploy")


def test_deployment_is_found_in_a_folder_above(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = run(capsys, "config", "systemd")
    here = home / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert run(capsys, "config", "systemd")[0] == EXIT_USAGE, "without a repository or a home around it"
    (home / ".git").mkdir()
    status, out, err = run(capsys, "config", "systemd")
    assert (status, err) == (EXIT_OK, "app-server: using ../../deploy.yaml\n")
    assert out == there[1], "the same deployment gives the same files, wherever the command is run"
    status, _, err = run(capsys, "config", "systemd", "-f", "deploy.yaml")
    assert status == EXIT_USAGE and "deploy.yaml" in err
