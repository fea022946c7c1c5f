"""`app-server config`: what it prints, writes, refuses, and never overwrites."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.deployment.targets import TARGETS

WORDS = ["all", *TARGETS, "schema"]


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Status, output and complaints of a command line."""
    status = main(argv, {})
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_command_line_needs_neither_bokeh_nor_pydantic() -> None:
    program = (
        "import sys; from app_server.cli import main; main(['config', '-h'], {}); "
        "print([n for n in ('bokeh', 'tornado', 'pydantic', 'jinja2') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_rendering_needs_neither_bokeh_nor_tornado(home: Path) -> None:
    program = (
        "import sys; from app_server.cli import main; main(['config', 'all'], {}); "
        "print([n for n in ('bokeh', 'tornado', 'cryptography') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=home
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_target_is_printed_and_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "config", "nginx")
    assert (status, err) == (EXIT_OK, "")
    assert out.startswith("# Written by app-server") and "server_name foo.com;" in out


def test_flags_replace_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "config", "nginx", "--app", "myapp.py", "--port", "5100", "--server-name", "foo.com", "--tls-cert",
        "cert.pem", "--tls-key", "key.pem", "--instances", "6",
    )  # fmt: skip
    assert status == EXIT_OK
    assert f"ssl_certificate {home}/cert.pem;" in out and "server 127.0.0.1:5105 max_fails=0;" in out
    assert out.splitlines()[1].endswith("--port 5100 --instances 6 --tls-cert cert.pem --tls-key key.pem")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["config"], "TARGET: expected one of all, acme, "),
        (["config", "ngnix"], f"TARGET: expected one of {', '.join(WORDS)}, not 'ngnix'. Did you mean nginx?"),
        (["config", "nginx", "-f", "no.yaml"], "no.yaml: there is no such file. `app-server init` writes a first one."),
        (["config", "nginx", "-e", "x"], "--environment: deploy.yaml has no environment x"),
        (["config", "nginx", "--port", "80"], "--port: has no meaning without --app"),
        (["config", "nginx", "--app", "a.py", "-f", "x"], "--file: has no meaning with --app"),
        (
            ["config", "nginx", "--app", "a.py", "--port", "x"],
            "--port: expected a whole number from 1 to 65535",
        ),
        (
            ["config", "nginx", "--app", "a.py", "--server-name", "a.org", "--server-name", "https://x.org/"],
            "--server-name: expected a host's name or address, not 'https://x.org/'",
        ),
        (["config", "nginx", "--app", "a.py", "--instances", "0"], "--instances: expected a whole number from 1"),
        (["config", "nginx", "--force"], "--force: has no meaning without --output"),
        (["config", "nginx", "--diff", "--check"], "--check: cannot be used with --diff"),
        (["init", "no.py"], "deploy.yaml: is there already. Edit it, or choose another --output."),
        (["init", "no.py", "-o", "new.yaml"], "no.py: there is no such file or folder"),
        (
            ["init", "myapp.py", "-o", "new.yaml", "--port", "99999"],
            "--port: expected a whole number from 1 to 65535, not '99999'",
        ),
        (
            ["init", "myapp.py", "-o", "new.yaml", "--instances", "0"],
            "--instances: expected a whole number from 1 to 512, not '0'",
        ),
        (
            ["init", "myapp.py", "-o", "new.yaml", "--tls", "files"],
            "--tls: files needs a certificate. Give --tls-cert and --tls-key.",
        ),
        (["init", "-o", "no/new.yaml"], "no/new.yaml: there is no folder no"),
    ],
)
def test_mistake_is_one_line(home: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, out) == (EXIT_USAGE, "")
    assert err.startswith(f"app-server: {message}")
    assert len(err.splitlines()) == 1


def test_warning_about_a_flag_names_the_flag(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "config", "nginx", "--app", "myapp.py", "--embed-origin", "https://www.acme.com")
    assert status == EXIT_OK
    assert err.startswith("app-server: warning: --embed-origin: pages of https://www.acme.com cannot load")


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
    assert "sessions: a1 has a new command and must be started anew" in out
    (home / "out" / "nginx" / "app-server.conf").write_text("mine", encoding="utf-8")
    status, _, err = run(capsys, "config", "all", "--output", "out")
    assert status == EXIT_FAILED and "was changed since it was written" in err
    assert (home / "out" / "nginx" / "app-server.conf").read_text(encoding="utf-8") == "mine"
    assert run(capsys, "config", "all", "--output", "out", "--force")[0] == EXIT_OK
    assert "127.0.0.1:5102" in (home / "out" / "nginx" / "app-server.conf").read_text(encoding="utf-8")


def test_schema_is_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "config", "schema")
    assert status == EXIT_OK and json.loads(out)["required"] == ["apps"]


def test_files_that_another_target_left_are_named_when_they_go(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "config", "systemd", "--output", "out")[1] == "3 files in out\n"
    assert run(capsys, "config", "nginx", "--output", "out")[1] == (
        "1 file in out\nremoved files of other targets: systemd/app-server.target, "
        "systemd/app-server@.service, systemd/instances/a1.env\n"
    )
    assert "and 3 more" not in run(capsys, "config", "nginx", "--output", "out")[1]


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


@pytest.mark.parametrize("words", [("config", "nginx"), ("config", "kubernetes"), ("deploy", "ansible")])
def test_build_context_is_for_compose_alone(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    status, _, err = run(capsys, *words, "--build-context", ".")
    assert status == EXIT_USAGE
    assert err == f"app-server: --build-context: has no meaning with {words[1]}. Leave it out.\n"
