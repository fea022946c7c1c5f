"""The pages of logging in and out."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.page import content_security_policy, logged_out_page, login_page, login_security_policy

EVIL = """"><script>alert("1")</script>'&"""


def form(**given: Any) -> str:
    """A form, with what is given in place of what is harmless."""
    words = {"action": "/login", "next_page": "/app", "form_token": "t0ken", "icon": "data:,"}
    return login_page(**words | given)


def test_the_form_sends_what_the_server_asks_for() -> None:
    page = form()
    assert 'action="/login"' in page and 'method="post"' in page
    for name in ("user", "password", "next", "form_token"):
        assert f'name="{name}"' in page
    assert 'value="t0ken"' in page and 'value="/app"' in page
    assert 'autocomplete="current-password"' in page and "<script" not in page


def test_a_fault_is_said_and_the_name_is_kept_but_never_the_password() -> None:
    page = form(user="ann", fault="The password is wrong.")
    assert "The password is wrong." in page and 'value="ann"' in page
    assert "The password is wrong." not in form(user="ann")


@pytest.mark.parametrize("name", ["action", "next_page", "form_token", "user", "fault", "icon"])
def test_what_a_visitor_may_have_written_is_no_markup(name: str) -> None:
    page = form(**{name: EVIL})
    assert "<script" not in page and "&lt;script&gt;" in page


def test_who_has_logged_out_finds_the_way_back_where_there_is_one() -> None:
    assert 'href="/login?next=/"' in logged_out_page(login_url="/login?next=/", icon="data:,")
    alone = logged_out_page(login_url=None, icon="data:,")
    assert "You are logged out" in alone and "<a " not in alone
    assert "<script" not in logged_out_page(login_url=EVIL, icon=EVIL)


def test_the_form_may_be_sent_to_this_server_and_nowhere_else() -> None:
    assert "form-action 'self'" in login_security_policy() and "form-action 'none'" in content_security_policy()
    assert login_security_policy().replace("form-action 'self'", "form-action 'none'") == content_security_policy()
