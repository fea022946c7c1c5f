"""The pictures of the index."""

from __future__ import annotations

import re

from app_server.page import IndexEntry, index_page
from app_server.page.thumbnails import pictures


def test_an_application_keeps_its_picture_and_neighbours_differ() -> None:
    html = index_page([IndexEntry(f"app{n}", f"/app{n}") for n in range(6)], title="Applications")
    assert html == index_page([IndexEntry(f"app{n}", f"/app{n}") for n in range(6)], title="Applications")
    assert sorted(re.findall(r"thumbnail (hue-\d)", html)) == [f"hue-{hue}" for hue in range(6)]


def test_a_name_has_its_picture_on_every_machine_and_whatever_it_holds() -> None:
    first, strange = pictures(["sliders", "\ud800<&"])
    assert pictures(["sliders"]) == [first]
    assert re.fullmatch(r'<svg class="thumbnail hue-[0-5]" [^<>]*>(<(path|rect|circle) [^<>]*/>)+</svg>', first)
    assert "nan" not in strange and "<&" not in strange


def test_motifs_differ_among_neighbours_whatever_their_names_wish_for() -> None:
    shapes = [re.sub(r"[-\d.]+", "", re.sub(r"hue-\d", "", drawn)) for drawn in pictures(str(n) for n in range(6))]
    assert len(set(shapes)) == 6
