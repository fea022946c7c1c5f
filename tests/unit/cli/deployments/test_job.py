"""The files of a deployment: printed, written, and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Status, output and complaints of a command line."""
    status = main(argv, {})
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_target_is_printed_and_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "config", "nginx")
    assert (status, err) == (EXIT_OK, "")
    assert out.startswith("# Written by app-server") and "server_name foo.com;" in out


def test_warning_about_a_flag_names_the_flag(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "config", "nginx", "--app", "myapp.py", "--embed-origin", "https://www.acme.com")
    assert status == EXIT_OK
    assert err.startswith("app-server: warning: --embed-origin: pages of https://www.acme.com cannot load")


def test_broken_rule_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (home / "deploy.yaml").open("a", encoding="utf-8") as file:
        file.write("sessions: {ids: signed}\n")
    status, out, err = run(capsys, "config", "all", "--output", "out")
    assert (status, out) == (EXIT_USAGE, "")
    assert "sessions.ids: signed sessions need a secret key" in err
    assert not (home / "out").exists()


def test_output_is_written_compared_and_kept(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "config", "all", "--output", "out")[0] == EXIT_OK
    status, out, _ = run(capsys, "config", "all", "--output", "out", "--diff")
    assert (status, out.strip()) == (EXIT_OK, "Nothing changes.")
    with (home / "deploy.yaml").open("a", encoding="utf-8") as file:
        file.write("instances: 3\n")
    status, out, _ = run(capsys, "config", "all", "--output", "out", "--diff")
    assert status == EXIT_FAILED
    assert "nginx: a reload; open sockets stay where they are until they end." in out
    assert "sessions: a1 has a new command and must be restarted" in out
    (home / "out" / "nginx" / "app-server.conf").write_text("mine", encoding="utf-8")
    status, _, err = run(capsys, "config", "all", "--output", "out")
    assert status == EXIT_FAILED and "was changed since it was written" in err
    assert (home / "out" / "nginx" / "app-server.conf").read_text(encoding="utf-8") == "mine"
    assert run(capsys, "config", "all", "--output", "out", "--force")[0] == EXIT_OK
    assert "127.0.0.1:5102" in (home / "out" / "nginx" / "app-server.conf").read_text(encoding="utf-8")


def test_files_that_another_target_left_are_named_when_they_go(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "config", "systemd", "--output", "out")[1] == "3 files in out\n"
    assert run(capsys, "config", "nginx", "--output", "out")[1] == (
        "1 file in out\nremoved files of other targets: systemd/app-server.target, "
        "systemd/app-server@.service, systemd/instances/a1.env\n"
    )
    assert "and 3 more" not in run(capsys, "config", "nginx", "--output", "out")[1]
