"""`app-server deploy`: what it refuses before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_USAGE, main


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with an application."""
    (tmp_path / "myapp.py").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("target", ["ansible", "compose"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("apps: {a: {path: a.py, workers: 2}}\npublic: foo.com\n", "deploy.yaml:1:24: apps.a.workers: "),
        (
            "apps: {a: myapp.py}\npublic: foo.com\nsessions: {ids: signed}\n",
            "sessions.ids: signed sessions need a secret key",
        ),
    ],
)
def test_deployment_with_a_fault_touches_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], target: str, text: str, reason: str
) -> None:
    (place / "deploy.yaml").write_text(text, encoding="utf-8")
    assert main(["deploy", target], {}) == EXIT_USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert reason in captured.err
    assert not (place / "deployed").exists()
