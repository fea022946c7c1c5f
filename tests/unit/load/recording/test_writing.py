"""Where recordings are written."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.load.recording import writing
from app_server.load.recording.format import Recording, Said, read
from app_server.load.recording.writing import check, write

RECORDING = Recording("/a/b", 1.0, (Said(0.5, ({"kind": "TitleChanged", "title": "x"},)),))


def test_file_has_the_last_page_that_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "visit.json"
    path.write_text("what was there before")
    check(str(path))
    write(RECORDING, str(path))
    assert read(path) == (RECORDING,) and path.stat().st_mode & 0o777 == 0o600


def test_folder_gets_a_file_for_each_page_until_it_has_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writing, "MOST_FILES", 3)
    check(f"{tmp_path}/")
    for _ in range(4):
        write(RECORDING, str(tmp_path))
    assert read(tmp_path) == (RECORDING,) * 3
    assert all(path.name.startswith("a-b-") for path in tmp_path.iterdir())
    assert f"{tmp_path} has 3 recordings, no more are written" in caplog.text


def test_what_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        write(RECORDING, str(tmp_path / "nowhere" / "visit.json"))
    assert "visit.json: No such file or directory" in caplog.text


def test_place_is_checked_before_anything_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        check(str(tmp_path / "nowhere" / "visit.json"))
    expected = f"--record {tmp_path}/nowhere/visit.json: the folder {tmp_path}/nowhere does not exist. Create it."
    assert str(caught.value) == expected
    with pytest.raises(OperatorError):
        check(f"{tmp_path}/nowhere/")
