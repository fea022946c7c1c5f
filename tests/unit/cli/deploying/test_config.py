"""`app-server config`: what it prints, writes, refuses, and never overwrites."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
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
        "print([n for n in ('bokeh', 'tornado', 'cryptography', 'logging', 'app_server.tls') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60, cwd=home
    )
    assert done.stdout.splitlines()[-1] == "[]"


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
        (["config", "nginx", "-f", "no.yaml"], "no.yaml: there is no such file. `app-server init` writes one."),
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


def test_rules_judge_what_is_rendered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "v.yaml").write_text("apps: {a: a.py}\nsessions: {store: valkey}\n", encoding="utf-8")
    assert run(capsys, "config", "swarm", "-f", "v.yaml")[::2] == (EXIT_OK, "")
    status, _, complaint = run(capsys, "config", "nginx", "-f", "v.yaml")
    assert status == EXIT_USAGE and "only a swarm and a cluster can have a Valkey of the deployment" in complaint
    (home / "w.yaml").write_text("apps: {a: a.py}\n", encoding="utf-8")
    assert (
        "warning: w.yaml:1:1: sessions.store: sessions are not saved"
        in run(capsys, "config", "swarm", "-f", "w.yaml")[2]
    )
    assert run(capsys, "config", "all", "-f", "w.yaml")[2] == ""


def test_target_without_files_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "deploy.yaml").write_text("apps: {myapp: myapp.py}\n", encoding="utf-8")
    assert main(["config", "acme"], {}) == 0
    said = "acme: the deployment does not have scripts and a timer for a certificate by ACME (tls: acme)"
    assert capsys.readouterr() == ("", f"app-server: warning: {said}\n")


def test_schema_is_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "config", "schema")
    assert status == EXIT_OK and json.loads(out)["required"] == ["apps"]


@pytest.mark.parametrize("words", [("config", "nginx"), ("config", "kubernetes"), ("deploy", "ansible")])
def test_build_context_is_for_compose_alone(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    status, _, err = run(capsys, *words, "--build-context", ".")
    assert status == EXIT_USAGE
    assert err == f"app-server: --build-context: has no meaning with {words[1]}. Leave it out.\n"
