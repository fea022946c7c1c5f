"""Files of components are found by the processes that did not make the page."""

from __future__ import annotations

from pathlib import Path

from app_server.guests.shared_files import SharedFiles

FILES = {"mine/Light/__javascript__/lamp.js": "/srv/lamp.js"}


def of_folder(folder: Path) -> SharedFiles:
    """The files of another process."""
    files = SharedFiles()
    files.begin(folder)
    return files


def test_file_of_another_process_is_found_until_its_module_ends(tmp_path: Path) -> None:
    one, other = of_folder(tmp_path), of_folder(tmp_path)
    one.note("mine", FILES)
    assert other.find("mine/Light/__javascript__/lamp.js") == Path("/srv/lamp.js")
    assert other.find("mine/Light/__javascript__/other.js") is None
    assert other.find("other/Light/__javascript__/lamp.js") is None
    one.forget({"another"})
    assert other.find("mine/Light/__javascript__/lamp.js") is not None
    one.forget({"mine"})
    assert other.find("mine/Light/__javascript__/lamp.js") is None
    assert list(tmp_path.iterdir()) == []


def test_what_has_not_changed_is_written_once(tmp_path: Path) -> None:
    files = of_folder(tmp_path)
    files.note("mine", FILES)
    (note,) = tmp_path.iterdir()
    before = note.stat().st_ino
    files.note("mine", dict(FILES))
    assert note.stat().st_ino == before
    files.note("mine", {**FILES, "mine/Light/__css__/a.css": "/srv/a.css"})
    assert of_folder(tmp_path).find("mine/Light/__css__/a.css") == Path("/srv/a.css")


def test_server_that_is_one_process_writes_nothing(tmp_path: Path) -> None:
    files = SharedFiles()
    files.note("mine", FILES)
    files.forget({"mine"})
    assert files.find("mine/Light/__javascript__/lamp.js") is None


def test_lost_folder_and_broken_notes_do_no_harm(tmp_path: Path) -> None:
    files = of_folder(tmp_path / "gone")
    files.note("mine", FILES)
    assert files.find("mine/Light/__javascript__/lamp.js") is None
    files = of_folder(tmp_path)
    files.note("mine", FILES)
    (note,) = tmp_path.iterdir()
    note.write_text("{")
    assert files.find("mine/Light/__javascript__/lamp.js") is None
