"""The small pages that a proxy shows by itself."""

from __future__ import annotations

from app_server.deployment.render.proxies.pages import UNAVAILABLE_RETRY_S, small_page, unavailable_page


def test_page_is_one_line_in_which_nothing_is_markup() -> None:
    page = small_page("<b>", 'a & "b"')
    assert "\n" not in page and "<b>" not in page
    assert page.count("&lt;b&gt;") == 2 and "a &amp; &quot;b&quot;" in page and "refresh" not in page


def test_page_of_an_application_that_is_away_tries_again() -> None:
    assert f'<meta http-equiv="refresh" content="{UNAVAILABLE_RETRY_S}">' in unavailable_page()
