"""What is left of a session that was ended, in files beside its socket."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app_server.fleet import remains
from app_server.fleet.place import Place
from app_server.fleet.remains import End, Remains


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """The socket of a session."""
    return Place(tmp_path).session_box("/app", "some session")


def test_the_reason_comes_with_what_the_page_showed_last(box: Path) -> None:
    remains.note_page(box, ["p1"])
    remains.note_page(box, ["p1", "p2"])
    remains.leave(box, End.MEMORY)
    assert remains.find(box) == Remains(End.MEMORY, ("p1", "p2"))


def test_nothing_is_left_of_an_orderly_end(box: Path) -> None:
    remains.note_page(box, ["p1"])
    remains.forget(box)
    assert remains.find(box) is None
    assert list(box.parent.iterdir()) == []


def test_nothing_is_left_where_no_page_was_made(box: Path) -> None:
    remains.leave(box, End.CRASH)
    assert remains.find(box) is None


def test_the_first_reason_counts(box: Path) -> None:
    remains.note_page(box, ["p1"])
    remains.leave(box, End.MEMORY)
    remains.leave(box, End.CRASH)
    assert remains.find(box) == Remains(End.MEMORY, ("p1",))


def test_old_remains_are_forgotten(box: Path) -> None:
    remains.note_page(box, ["p1"])
    remains.leave(box, End.CPU)
    file = next(box.parent.glob("*.end"))
    yesterday = time.time() - 86400
    os.utime(file, (yesterday, yesterday))
    remains.prune(box.parent)
    assert remains.find(box) is None


def test_remains_are_no_sessions(box: Path) -> None:
    remains.note_page(box, ["p1"])
    remains.leave(box, End.CPU)
    assert Place(box.parent).session_boxes() == []


def test_a_session_is_found_by_its_application_and_id_alone(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.session_box("/app", "one") == place.session_box("/app", "one")
    boxes = {place.session_box(*names) for names in (("/app", "one"), ("/app", "two"), ("/b", "one"))}
    assert len(boxes) == 3
