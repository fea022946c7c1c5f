"""The program that images start: which command it becomes, and where that listens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def command() -> Callable[[list[str]], list[str]]:
    """The words of the command that `start` becomes."""
    path = ROOT / "docker" / "app-server" / "start"
    # Compiled here, and not by a loader, which would leave byte code in a folder that images are made of.
    names: dict[str, Any] = {"__name__": "start_of_images"}
    exec(compile(path.read_text(encoding="utf-8"), path, "exec"), names)
    found: Callable[[list[str]], list[str]] = names["command"]
    return found


@pytest.mark.parametrize(
    ("environ", "words", "bind"),
    [
        ({}, [], "0.0.0.0:5006"),
        ({"PORT": "8080"}, [], "0.0.0.0:8080"),
        ({"PORT": "8080", "HOST": "::"}, [], "[::]:8080"),
        ({"PORT": "8080", "HOST": "web-1"}, [], "0.0.0.0:8080"),
        ({"PORT": "8080", "BOKEH_DEFAULT_SERVER_PORT": "5010"}, [], "0.0.0.0:5010"),
        ({"PORT": "8080"}, ["--port", "5011", "--address", "127.0.0.1"], "127.0.0.1:5011"),
        ({"PORT": "8080"}, ["--unix-socket", "/run/a.sock"], "unix:/run/a.sock"),
    ],
)
def test_gunicorn_listens_where_the_server_would(
    command: Callable[[list[str]], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    words: list[str],
    bind: str,
) -> None:
    for name in ("PORT", "HOST", "BOKEH_DEFAULT_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = command(["gunicorn", "a.py", *words])
    assert found[0] == "gunicorn" and found[found.index("--bind") + 1] == bind


def test_other_programs_are_run_as_they_are(command: Callable[[list[str]], list[str]]) -> None:
    assert command(["sh", "-c", "env"]) == ["sh", "-c", "env"]
    assert command(["a.py", "--warm"]) == ["app-server", "serve", "a.py", "--warm"]
