"""Files reach file inputs as browsers send them; what these do not take is refused."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bokeh.models import FileInput

from app_server.testing.errors import CannotDo
from app_server.testing.moves import files
from app_server.testing.moves.files import dropped, sent, uploaded


def dropper(**more: Any) -> Any:
    """A FileDropper, as far as it is asked."""
    asked = {"max_files": None, "multiple": True, "accepted_filetypes": [], "chunk_size": 4, "name": "dropper"}
    return SimpleNamespace(**{**asked, **more})


def test_inputs_for_several_files_get_lists(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"abc")
    one = {"value": base64.b64encode(b"abc").decode(), "filename": "a.txt", "mime_type": "text/plain"}
    assert uploaded(FileInput(), [tmp_path / "a.txt"], "", "") == (one,)
    for several in (FileInput(multiple=True), FileInput(directory=True)):
        assert uploaded(several, [tmp_path / "a.txt"], "", "") == ({name: [each] for name, each in one.items()},)
        assert uploaded(several, [], "", "") == ({name: [] for name in one},)


def test_dropped_files_come_in_pieces() -> None:
    told = list(dropper_tells(b"abcdefgh", b""))
    assert [(each["chunk"], each["total_chunks"], each["data"]) for each in told] == [
        (1, 3, b"abcd"), (2, 3, b"efgh"), (3, 3, b""), (1, 1, b""),
    ]  # fmt: skip
    assert {(each["name"], each["type"]) for each in told} == {("t.csv", "text/csv")}


def dropper_tells(*files: bytes) -> Any:
    """What a FileDropper tells of these."""
    return dropped(dropper(), files, "t.csv", "")


@pytest.mark.parametrize(
    ("given", "count", "why"),
    [
        ({"multiple": False}, 2, "SimpleNamespace 'dropper': takes 1 file, not 2"),
        ({"max_files": 2}, 3, "SimpleNamespace 'dropper': takes 2 files, not 3"),
        ({"accepted_filetypes": [".png", "image/*"]}, 1,
         "SimpleNamespace 'dropper': does not accept 't.csv', only '.png', 'image/*'"),
    ],
)  # fmt: skip
def test_files_that_are_not_taken_are_refused(given: dict[str, Any], count: int, why: str) -> None:
    with pytest.raises(CannotDo) as refused:
        list(dropped(dropper(**given), [b"x"] * count, "t.csv", ""))
    assert str(refused.value) == why


def test_files_that_are_accepted_are_told_by_extension_or_type() -> None:
    for accepted in (".CSV", "text/*", "text/csv"):
        assert len(list(dropped(dropper(accepted_filetypes=[accepted]), [b"x"], "t.csv", ""))) == 1


def test_inputs_of_material_ui_send_pieces_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PIECE_BYTES", 2)
    model = SimpleNamespace(name="input", data=SimpleNamespace(multiple=False))
    *pieces, end = sent(model, [b"abc"], "t.csv", "")
    assert [(each["chunk"], each["total_chunks"], each["data"]) for each in pieces] == [(1, 2, b"ab"), (2, 2, b"c")]
    assert {(each["name"], each["mime_type"], each["status"]) for each in pieces} == {
        ("t.csv", "text/csv", "upload_event")
    }
    assert end["status"] == "finished"
    with pytest.raises(CannotDo, match="takes one file, not 2"):
        list(sent(model, [b"a", b"b"], "t.csv", ""))
