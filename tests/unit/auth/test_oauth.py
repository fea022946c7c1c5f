"""Logging in with an OAuth2 provider, which answers in a thread of the test's process."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.serving import make_server

from app_server.auth.oauth import service_of
from app_server.security.auth import oauth
from app_server.settings import Settings
from tests.support.client import Answer
from tests.support.clients.cookies import Browser
from tests.support.ports import free_port
from tests.support.servers.inside import Inside, inside
from tests.support.servers.oauth_provider import CLIENT_ID, CLIENT_SECRET, provider

SECRET = "s" * 40
REDIRECT = "http://127.0.0.1:1/p/login/callback"


@pytest.fixture(scope="module")
def github() -> Iterator[str]:
    """A GitHub Enterprise."""
    requests = logging.getLogger("werkzeug")
    before, port = requests.level, free_port()
    requests.setLevel(logging.ERROR)
    server = make_server("127.0.0.1", port, provider(REDIRECT), threaded=True)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01))
    thread.start()
    yield f"http://localhost:{port}"
    server.shutdown()
    thread.join()
    server.server_close()
    requests.setLevel(before)


def settings_of(github: str, **more: Any) -> dict[str, Any]:
    """The settings of a server whose users GitHub knows."""
    return {
        "oauth_provider": "github", "oauth_url": github, "oauth_client_id": CLIENT_ID,
        "oauth_client_secret": CLIENT_SECRET, "oauth_redirect_url": REDIRECT, "cookie_secret": SECRET,
        "prefix": "/p", **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def site(github: str) -> Iterator[Inside]:
    settings = settings_of(github, access=("/app=group:acme/analysts", "/open=user:*"))
    with inside({"/app": lambda document: None, "/open": lambda document: None}, **settings) as served:
        yield served


def ask(page: str, method: str, body: str = "") -> http.client.HTTPResponse:
    parts = urlsplit(page)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, f"{parts.path}?{parts.query}", body, form)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def begin(browser: Browser) -> str:
    """The provider's page, where the browser is led."""
    return browser.get("/p/login?next=/p/app").headers["location"]


def agree(page: str, user: str = "ann") -> str:
    """The path that leads back, for a user who has typed this name."""
    back = urlsplit(ask(page, "POST", f"user={user}").headers["Location"])
    return f"{back.path}?{back.query}"


def log_in(browser: Browser, user: str = "ann") -> Answer:
    """The answer to a browser that comes back."""
    return browser.get(agree(begin(browser), user))


def user_of(served: Inside, browser: Browser, path: str = "/p/open", number: int = -1) -> Any:
    """The user as the application knows it."""
    assert browser.get(path).status == 200
    return list(served.server.state.runtimes[number].registry)[-1].context.user


def test_user_of_github_logs_in_and_out(site: Inside, github: str) -> None:
    browser = Browser(site)
    page = begin(browser)
    asked = parse_qs(urlsplit(page).query)
    assert page.startswith(f"{github}/login/oauth/authorize?") and asked["scope"] == ["read:org user:email"]
    assert ask(page, "GET").status == 200
    answer = browser.get(agree(page))
    assert (answer.status, answer.headers["location"]) == (303, "/p/app")
    user = user_of(site, browser, "/p/app", 0)
    assert (user.name, user.way, user.groups) == ("ann", "oauth", ("acme", "acme/analysts"))
    assert dict(user.claims) == {
        "iss": github, "sub": "1001", "preferred_username": "ann", "name": "Ann", "email": "ann@example.org",
        "email_verified": True, "groups": ["acme", "acme/analysts"],
    }  # fmt: skip
    assert "You are logged out" in browser.get("/p/logout").text
    assert browser.get("/p/app").status == 302


def test_rules_look_at_organizations_and_teams(site: Inside) -> None:
    browser = Browser(site)
    assert log_in(browser, "bob").status == 303
    assert browser.get("/p/app").status == 403 and browser.get("/p/open").status == 200
    assert user_of(site, browser).claims["email"] == "bob@example.com"
    assert "email_verified" not in user_of(site, browser).claims


def test_organizations_are_read_page_by_page(github: str) -> None:
    settings = settings_of(github, oauth_allow=("groups=organization-229",), access=("/app=group:organization-229",))
    with inside({"/app": lambda document: None}, **settings) as served:
        browser = Browser(served)
        assert log_in(browser, "crowd").status == 303
        user = user_of(served, browser, "/p/app")
        assert "organization-229" in user.groups


@pytest.mark.parametrize(("user", "status"), [("ann", 303), ("bob", 403)])
def test_only_users_who_are_allowed_get_in(
    github: str, user: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with inside({"/app": lambda document: None}, **settings_of(github, oauth_allow=("groups=acme",))) as served:
        assert log_in(Browser(served), user).status == status
    if status == 403:
        assert caplog.messages == ["Refused a login from 127.0.0.1: none of --oauth-allow fits this user"]


def test_scope_without_groups_asks_for_none(github: str) -> None:
    with inside({"/app": lambda document: None}, **settings_of(github, oauth_scope="")) as served:
        browser = Browser(served)
        page = begin(browser)
        assert "scope" not in parse_qs(urlsplit(page).query)
        browser.get(agree(page))
        assert user_of(served, browser, "/p/app").groups == ()


def test_code_is_good_once_and_for_one_browser(site: Inside, caplog: pytest.LogCaptureFixture) -> None:
    browser, other = Browser(site), Browser(site)
    back = agree(begin(browser))
    assert other.get(back).status == 403
    kept = dict(browser.cookies)
    assert browser.get(back).status == 303
    browser.cookies.clear()
    browser.cookies.update(kept)
    answer = browser.get(back)
    assert answer.status == 403 and "You may not log in here" in answer.text
    assert "the provider says that the login has expired or was used" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("client", "it answered 200 'incorrect_client_credentials'. Check --oauth-client-id and the client's secret."),
        ("broken", "it answered 500 and no access token"),
        ("mac", "its token is of the type 'mac', not bearer"),
    ],
)
def test_answer_that_is_not_as_it_should_be_is_the_providers_fault(
    site: Inside, github: str, kind: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(site)
    back = agree(begin(browser))
    ask(f"{github}/fault", "POST", f"kind={kind}")
    assert browser.get(back).status == 502
    assert caplog.messages == [
        f"No user can log in: the OAuth2 provider is at fault. {github}/login/oauth/access_token: {words}"
    ]
    assert CLIENT_SECRET not in caplog.text


def test_custom_provider_is_described_by_its_addresses(github: str) -> None:
    settings = {
        **settings_of(github), "oauth_provider": "custom", "oauth_url": None,
        "oauth_authorize_url": f"{github}/login/oauth/authorize",
        "oauth_token_url": f"{github}/login/oauth/access_token",
        "oauth_user_url": f"{github}/me", "oauth_user_id": "uuid", "oauth_user_name": "nick",
        "oauth_groups": "memberships.teams",
    }  # fmt: skip
    with inside({"/app": lambda document: None}, **settings) as served:
        browser = Browser(served)
        assert log_in(browser).status == 303
        user = user_of(served, browser, "/p/app")
        assert (user.name, user.groups, user.claims["sub"]) == ("ann", ("acme",), "u-1001")


@pytest.mark.parametrize("rules", [{}, {"oauth_allow": ("groups=acme",)}, {"access": ("/app=user:ann",)}])
def test_github_without_rules_is_warned_of(rules: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_of("https://github.com", **rules)
    with inside({"/app": lambda document: None}, **settings):
        pass
    warned = any("Anyone with an account at GitHub can log in." in text for text in caplog.messages)
    assert warned is not bool(rules)


def test_settings_choose_the_provider() -> None:
    assert service_of(Settings(oauth_provider="github")) == oauth.github()


@pytest.mark.parametrize(("kind", "cookies"), [("", 1), ("long", 2), ("huge", 0)])
def test_access_token_is_kept_in_as_many_cookies_as_it_needs(
    github: str, kind: str, cookies: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(github, access_tokens=True, oauth_allow=("name=Ann",))
    with inside({"/app": lambda document: None}, **settings) as served:
        browser = Browser(served)
        back = agree(begin(browser))
        ask(f"{github}/fault", "POST", f"kind={kind}")
        assert browser.get(back).status == 303
        assert len([name for name in browser.cookies if "tokens" in name]) == cookies
        assert browser.get("/p/app").status == 200
        (session,) = served.server.state.runtimes[0].registry
        token = session.context.access_token()
        assert (token or "").startswith("gho_") is (kind != "huge")
        warned = "too long for cookies" in caplog.text
        assert warned is (kind == "huge")
        assert browser.get("/p/logout").status == 200
        assert session.context.access_token() is None
