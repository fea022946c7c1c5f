"""`app-server info --settings`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main


def report(capsys: pytest.CaptureFixture[str], environ: dict[str, str], *flags: str) -> str:
    """What the command prints."""
    assert main(["info", "--settings", *flags], environ) == EXIT_OK
    return capsys.readouterr().out


def test_each_value_says_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    table = '[tool.app-server]\napps = ["a.py"]\nport = 8000\nenv-file = ".env"\nroute = "x"\n'
    (tmp_path / "pyproject.toml").write_text(table, encoding="utf-8")
    (tmp_path / ".env").write_text("BOKEH_SECRET_KEY=hunter2\nAPP_SERVER_WARM=yes\n", encoding="utf-8")
    environ = {"APP_SERVER_ROUTE": "y", "APP_SERVER_WARM": "no"}
    assert report(capsys, environ) == (
        "Settings of `app-server serve` here, from pyproject.toml and the environment; flags override them:\n"
        "  apps        a.py      pyproject.toml\n"
        "  warm        false     APP_SERVER_WARM\n"
        "  env_file    .env      pyproject.toml:4: env-file\n"
        "  port        8000      pyproject.toml:3: port\n"
        "  route       y         APP_SERVER_ROUTE\n"
        "  secret_key  (secret)  BOKEH_SECRET_KEY in .env\n"
    )
    found = json.loads(report(capsys, environ, "--json"))
    assert found["file"] == "pyproject.toml"
    assert found["settings"]["secret_key"] == {"value": "(secret)", "from": "BOKEH_SECRET_KEY in .env"}


def test_defaults_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert report(capsys, {}).splitlines()[1:] == ["  all of them have their defaults"]


def test_wrong_value_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "--settings"], {"APP_SERVER_USE_CONFIG": "/no/such.toml"}) != EXIT_OK
    assert capsys.readouterr().err.startswith("app-server: --use-config: /no/such.toml cannot be read")
    assert main(["info", "--settings", "--static"], {}) == EXIT_USAGE
    assert "--settings: cannot be used with --static" in capsys.readouterr().err
