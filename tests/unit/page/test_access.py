"""The page of a refusal."""

from __future__ import annotations

import pytest

from app_server.page import NO_APPLICATION, no_access_page, whom_to_ask

EVIL = """"><script>alert("1")</script>'&"""


def page(contact: str | None, user: str = "ann", home: str | None = "/p/", headline: str = "No") -> str:
    return no_access_page(
        user=user, contact=contact, logout_url="/p/logout", home=home, icon="/favicon.ico", headline=headline
    )


def test_page_says_who_one_is_and_whom_to_ask() -> None:
    html = page("Mia in room 12")
    assert "You are logged in as ann." in html and '<a href="/p/logout">Log out</a>' in html
    assert "Ask Mia in room 12 for access." in html
    assert '<a class="home" href="/p/">All applications</a>' in html


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("help@example.org", '<a href="mailto:help@example.org">help@example.org</a>'),
        ("https://example.org/ask?a=1", '<a href="https://example.org/ask?a=1">https://example.org/ask?a=1</a>'),
    ],
)
def test_contact_that_is_an_address_is_a_link(contact: str, link: str) -> None:
    assert f"Ask {link} for access." in page(contact)


@pytest.mark.parametrize("contact", ["javascript:alert(1)", "a b@example.org", "ftp://example.org", EVIL])
def test_other_contacts_are_text(contact: str) -> None:
    html = page(contact, user=EVIL)
    assert "<script" not in html and html.count("<a ") == 2  # the way out, and the index


def test_without_a_contact_it_is_the_operator() -> None:
    assert "Ask the site&#39;s operator for access." in page(None)
    assert whom_to_ask(None) == "Ask the site's operator for access."


def test_user_without_a_name_and_a_server_without_an_index_are_not_mentioned() -> None:
    html = page(None, user="", home=None, headline=NO_APPLICATION)
    assert "logged in" not in html and "<a " not in html
    assert "<h1>You may not open any application here</h1>" in html
