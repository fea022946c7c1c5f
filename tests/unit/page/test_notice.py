"""What a page says about its server, in the middle of somebody else's page."""

from __future__ import annotations

import pytest

from app_server.page import note, notice

EVIL = """</div><script>alert("1")</script>'&"""


@pytest.mark.parametrize("made", [notice, note])
def test_words_of_applications_are_no_markup(made: object) -> None:
    assert callable(made)
    html = made(EVIL, EVIL)
    assert "<script" not in html and html.count("&lt;/div&gt;") >= 2 and html.count("</div>") == 1


def test_an_ended_application_says_so_aloud_and_offers_a_new_start() -> None:
    html = notice("It has ended", "It took too long.")
    assert html.startswith('<div role="alert" ') and "<strong>It has ended</strong><br>It took too long." in html
    assert '<a href="" ' in html and "Reload the page to start again." in html


def test_a_note_stays_until_it_is_closed_without_a_script() -> None:
    html = note("Saved", "As a copy.")
    assert html.startswith("<dialog open ") and '<form method="dialog" ' in html and ">Close</button>" in html
    assert '<div role="alert"><strong>Saved</strong><br>As a copy.</div>' in html
    assert "<a " not in html and "position:fixed" in html
