"""Logging in with a password: the form, and what programs send."""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path

import pytest

from app_server.auth import attempts
from app_server.auth.password import PasswordBackend, _read_basic
from app_server.errors import OperatorError
from app_server.settings import Settings
from tests.support.clients.cookies import Browser
from tests.support.servers.inside import Inside
from tests.unit.auth.two_users import SECRET, basic, lines


def test_user_logs_in_sees_the_page_and_logs_out(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    browser = Browser(state)
    assert browser.get("/p/app").headers["location"] == "/p/login?next=%2Fp%2Fapp"
    answer = browser.log_in("ann", "her password", next="/p/app?x=1")
    assert (answer.status, answer.headers["location"]) == (303, "/p/app?x=1")
    assert "'ann' logged in from 127.0.0.1" in caplog.messages
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept and "SameSite=Lax" in kept and "Path=/p" in kept and "Secure" not in kept
    assert browser.get("/p/app").status == 200
    assert browser.get("/p/login?next=/p/app").headers["location"] == "/p/app"
    out = browser.get("/p/logout")
    assert out.status == 200 and browser.get("/p/app").status == 302


@pytest.mark.parametrize(
    ("user", "password", "who"), [("ann", "wrong", "'ann'"), ("eve", "her password", "an unknown user")]
)
def test_wrong_password_and_unknown_user_are_told_alike(
    state: Inside, user: str, password: str, who: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Browser(state).log_in(user, password)
    assert answer.status == 403 and "The user or the password is wrong." in answer.text
    assert f"Failed login of {who} from 127.0.0.1" in caplog.messages
    assert not any("eve" in text for text in caplog.messages), "people type their password into the wrong field"


@pytest.mark.parametrize("how", ["no token", "no cookie", "another site"])
def test_form_that_we_have_not_sent_is_refused(state: Inside, how: str, caplog: pytest.LogCaptureFixture) -> None:
    browser = Browser(state)
    found = re.search(r'name="form_token" value="([^"]+)"', browser.get("/p/login").text)
    assert found is not None
    fields = {"user": "ann", "password": "her password", "form_token": found[1]}
    if how == "no token":
        del fields["form_token"]
    elif how == "no cookie":
        browser.cookies.clear()
    headers = {"Sec-Fetch-Site": "cross-site"} if how == "another site" else {}
    answer = browser.post("/p/login", headers, **fields)
    assert answer.status == 403 and "This form has expired. Please try again." in answer.text
    assert caplog.messages == ["Refused a login form from 127.0.0.1: this server has not sent it"]
    assert not any("login" in name for name in browser.cookies)


def test_another_site_cannot_log_anybody_out(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    browser = Browser(state)
    browser.log_in("ann", "her password")
    answer = browser.get("/p/logout", **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403 and "Another site asked to log you out" in answer.text
    assert "Another site tried to log out the user at 127.0.0.1" in caplog.messages
    assert browser.get("/p/app").status == 200
    assert browser.post("/p/logout", {"Sec-Fetch-Site": "same-origin"}).status == 200
    assert browser.get("/p/app").status == 302


@pytest.mark.parametrize("change", ["deleted", "another password"])
def test_cookie_of_a_user_who_changed_is_worth_nothing(state: Inside, users: Path, change: str) -> None:
    browser = Browser(state)
    browser.log_in("ann", "her password")
    users.write_text(lines(bob="his password", **({} if change == "deleted" else {"ann": "another"})))
    assert browser.get("/p/app").status == 302


def test_forged_cookie_is_nobodys(state: Inside) -> None:
    browser = Browser(state)
    browser.log_in("ann", "her password")
    (name,) = [name for name in browser.cookies if name.startswith("app_server_login")]
    browser.cookies[name] = browser.cookies[name][:-2] + "xx"
    assert browser.get("/p/app").status == 302


# Programs


def test_program_sends_its_password_with_each_request(state: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    right = {"Authorization": basic("ann", "her password")}
    assert state.ask("/p/app", headers=right).status == 200
    monkeypatch.setattr(attempts.PasswordFile, "check", lambda *anything: pytest.fail("it is remembered"))
    assert state.ask("/p/app", headers=right).status == 200


@pytest.mark.parametrize("credentials", [basic("ann", "wrong"), "basic !!!", "Basic /w=="])
def test_program_with_a_wrong_password_is_told_so(state: Inside, credentials: str) -> None:
    answer = state.ask("/p/app", headers={"Authorization": credentials})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Basic realm="applications", charset="UTF-8"'
    assert "The user or the password is wrong" in answer.text


def test_failures_slow_down(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    wrong = {"Authorization": basic("ann", "wrong")}
    statuses = [state.ask("/p/app", headers=wrong).status for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    answer = state.ask("/p/app", headers=wrong)
    assert 1 <= int(answer.headers["retry-after"]) <= 30 and "Too many attempts have failed. Please wait" in answer.text
    assert any(text.startswith("Delaying logins from 127.0.0.1 for ") for text in caplog.messages)
    form = Browser(state).log_in("ann", "her password")
    assert form.status == 429 and "retry-after" in form.headers


def test_log_says_once_that_a_proxy_hides_who_fails_to_log_in(
    state: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"Authorization": basic("ann", "wrong"), "X-Forwarded-For": "192.0.2.1"}
    assert [state.ask("/p/app", headers=wrong).status for _ in range(7)][-2:] == [429, 429]
    assert [text for text in caplog.messages if "proxy" in text] == [
        "A proxy sends X-Forwarded-For, which is ignored without --use-xheaders: failed logins of all its visitors are "
        "counted together, as 127.0.0.1. Set it if only the proxy reaches this server"
    ]


def test_more_logins_at_once_than_can_be_checked_are_put_off(
    state: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempts, "_MOST_WAITING", 0)
    answer = state.ask("/p/app", headers={"Authorization": basic("ann", "her password")})
    assert answer.status == 503 and answer.headers["retry-after"] == "2"
    assert "Many users are logging in at the moment." in answer.text
    assert caplog.messages == ["Too many logins at once; delaying one from 127.0.0.1"]
    assert Browser(state).log_in("ann", "her password").status == 503


def test_file_without_users_is_named_and_one_that_is_missing_refused(
    users: Path, caplog: pytest.LogCaptureFixture
) -> None:
    users.write_text("")
    PasswordBackend(Settings(basic_auth=str(users), cookie_secret=SECRET)).stop()
    assert caplog.messages == [f"{users} has no users yet; add one with `app-server passwd`"]
    users.unlink()
    with pytest.raises(OperatorError, match="cannot be read: No such file or directory"):
        PasswordBackend(Settings(basic_auth=str(users), cookie_secret=SECRET))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (base64.b64encode(b"a:b:c").decode(), ("a", "b:c")),
        (base64.b64encode(b"a").decode(), ("a", "")),
        ("!", ("", "")),
        ("/w==", ("ÿ", "")),
        (base64.b64encode("jürgen:pä".encode()).decode(), ("jürgen", "pä")),
        (base64.b64encode("jürgen:pä".encode("latin-1")).decode(), ("jürgen", "pä")),
    ],
)
def test_credentials_are_read(given: str, found: tuple[str, str]) -> None:
    assert _read_basic(given) == found
