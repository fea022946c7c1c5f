"""Recordings as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.load.recording import format as files
from app_server.load.recording.format import Recording, Said, parse, read

SAID = Said(1.5, ({"kind": "ModelChanged", "model": {"$model": ["Slider", "", 0]}, "attr": "value", "new": 2},))
RECORDING = Recording("/sliders", 4.0, (SAID, Said(2.0, ({"kind": "TitleChanged", "title": "x"},))))


def complaint(content: bytes) -> str:
    with pytest.raises(OperatorError) as caught:
        parse(content, "visit.json")
    return str(caught.value)


def test_what_was_written_is_read_back_and_has_a_line_for_each_message() -> None:
    assert parse(RECORDING.dump(), "x") == RECORDING
    assert RECORDING.dump().count(b"\n") == 4


def test_recording_that_was_shortened_by_hand_is_read() -> None:
    lines = RECORDING.dump().split(b"\n")
    found = parse(b"\n".join([lines[0], lines[1].rstrip(b","), *lines[3:]]), "x")
    assert found.messages == (SAID,) and found.seconds == 4.0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "visit.json: is not a recording: "),
        (b"[]", "visit.json: is not a recording. Record one with `app-server serve --record`."),
        (b'{"format":"other"}', "visit.json: is not a recording. "),
        (b'{"format":"app-server recording 1"}', "visit.json: is damaged: its messages cannot be read"),
        (RECORDING.dump().replace(b'"at_s":1.5', b'"at_s":-1'), "visit.json: is damaged: its messages cannot be read"),
        (RECORDING.dump().replace(b'"at_s":1.5', b'"at_s":3'), "visit.json: is damaged: its messages are not in order"),
        (RECORDING.dump().replace(b'"",0]', b'7,0]'), "visit.json: is damaged: its messages cannot be read"),
        (RECORDING.dump().replace(b'["Slider","",0]', b"[]"), "visit.json: is damaged: its messages cannot be read"),
        (Recording("/a", 1.0, ()).dump(), "visit.json: is a recording in which nothing was done"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused(content: bytes, expected: str) -> None:
    assert complaint(content).startswith(expected)


def test_folder_gives_all_of_its_recordings(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(RECORDING.dump())
    (tmp_path / "notes.txt").write_text("none")
    assert read(tmp_path) == (RECORDING, RECORDING)
    assert read(tmp_path / "a.json") == (RECORDING,)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperatorError, match="has no recordings"):
        read(tmp_path)
    with pytest.raises(OperatorError, match="nothing.json: cannot be read: No such file or directory"):
        read(tmp_path / "nothing.json")
    (tmp_path / "a.json").write_bytes(RECORDING.dump())
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    with pytest.raises(OperatorError, match=r"a.json: has more than 0 MiB"):
        read(tmp_path)
    monkeypatch.setattr(files, "MOST_FILES", 0)
    with pytest.raises(OperatorError, match="has more than 0 recordings"):
        read(tmp_path)
