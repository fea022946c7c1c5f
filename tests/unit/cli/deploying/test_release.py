"""`app-server release`: what it writes for a host, what it refuses, and what it says of a folder that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a deployment of one application and the packages that it needs."""
    (tmp_path / "myapp.py").write_text("import helper\n")
    (tmp_path / "helper.py").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    (tmp_path / "requirements.txt").write_text("app-server\n")
    (tmp_path / "deploy.yaml").write_text("apps: {myapp: myapp.py}\npublic: foo.com\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_release_is_written_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["release", "--output", "out", "--packages", "requirements.txt", "--include", "data/*.csv"]
    assert main(words, {}) == EXIT_OK
    about = json.loads((home / "out" / "release.json").read_text())
    assert capsys.readouterr().out == f"release {about['id']} in out\n"
    assert main(words, {}) == EXIT_OK
    assert capsys.readouterr().out == f"release {about['id']} in out (unchanged)\n"


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        ([], EXIT_USAGE, "--output: is required. Name a folder to write to."),
        (["--try", "out"], EXIT_USAGE, "--try: needs --program. Name the environment's bin/app-server."),
        (["--output", "out", "--include", "no/*"], EXIT_FAILED,
         "--include no/*: no file matches. Patterns start in FOLDER."),
        (["--try", "data", "--program", "x"], EXIT_FAILED,
         "data: does not contain a release: [Errno 2] No such file or directory: 'data/release.json'"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_or_tried_is_one_line(
    home: Path, words: list[str], status: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", *words], {}) == status
    assert capsys.readouterr().err.replace(str(home), "FOLDER") == f"app-server: {error}\n"


def test_folder_whose_manifest_is_no_json_is_no_release(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "data" / "release.json").write_text("{")
    assert main(["release", "--try", "data", "--program", "x"], {}) == EXIT_FAILED
    assert capsys.readouterr().err.startswith("app-server: data: does not contain a release: Expecting property name")
