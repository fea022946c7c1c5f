"""`app-server wheelhouse`: what its words mean. What it collects is tested beside the module that does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app_server.cli import EXIT_OK, EXIT_USAGE, main
from app_server.deployment.releases import wheelhouse


def test_words_reach_what_collects(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called: list[tuple[Any, ...]] = []

    def collect(folder: Path, requirements: list[Path], **more: Any) -> int:
        called.append((folder, requirements, more))
        return len(called)

    monkeypatch.setattr(wheelhouse, "collect", collect)
    assert main(["wheelhouse", "w", "--own"], {}) == EXIT_OK
    assert main(["wheelhouse", "w", "a.txt", "--python", "3.13", "--platform", "linux_aarch64"], {}) == EXIT_OK
    assert called == [
        (Path("w"), [], {"python": None, "platform": None, "download": False}),
        (Path("w"), [Path("a.txt")], {"python": "3.13", "platform": "linux_aarch64", "download": True}),
    ]
    assert capsys.readouterr().out == "1 wheel in w\n2 wheels in w\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ([], "DIR: is required. For example: app-server wheelhouse wheels"),
        (["w", "--python", "py3"], "--python: 'py3' is not a version of Python. Such as 3.13."),
        (["w", "--own", "--python", "3.13"], "--python: has no meaning with --own. Leave one of them out."),
        (["w", "a.txt", "--own"], "REQUIREMENTS: has no meaning with --own. Leave one of them out."),
    ],
)
def test_words_that_make_no_sense_are_one_line(
    words: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wheelhouse", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {error}\n"
