"""Maintenance, which all processes of a server see."""

from __future__ import annotations

from pathlib import Path

from app_server.requests.state.maintenance import Maintenance
from tests.support.descriptors import no_descriptors


def test_maintenance_begins_and_ends_for_all(tmp_path: Path) -> None:
    mine, other = Maintenance(tmp_path / "m"), Maintenance(tmp_path / "m")
    assert other.notice() is None
    mine.begin("Back at noon.")
    found = other.notice()
    assert found is not None and found.text == "Back at noon."
    other.end()
    other.end()
    assert mine.notice() is None


def test_file_that_cannot_be_read_turns_visitors_away(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("nonsense")
    found = Maintenance(tmp_path / "m").notice()
    assert found is not None and found.text == ""


def test_process_that_can_open_no_file_knows_whether_there_is_maintenance(tmp_path: Path) -> None:
    maintenance = Maintenance(tmp_path / "m")
    with no_descriptors():
        assert maintenance.notice() is None
    maintenance.begin("Back at noon.")
    with no_descriptors():
        assert maintenance.notice() is not None


def test_file_in_a_folder_that_cannot_be_entered_turns_visitors_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Maintenance(tmp_path / "file" / "m").notice() is not None


def test_long_text_is_cut(tmp_path: Path) -> None:
    maintenance = Maintenance(tmp_path / "m")
    maintenance.begin("x" * 5000)
    found = maintenance.notice()
    assert found is not None and len(found.text) == 2000
