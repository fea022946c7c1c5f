"""Logging in with an OpenID Connect provider, which answers in a thread of the test's process."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from werkzeug.serving import make_server

from app_server.auth import oidc
from app_server.auth.oidc import OidcBackend
from app_server.security.auth.oidc import Attempt, LoginRefused, ProviderError
from app_server.settings import Settings
from tests.support.client import Answer
from tests.support.clients.cookies import Browser
from tests.support.ports import free_port
from tests.support.servers.inside import Inside, inside
from tests.support.servers.oidc_provider import CLIENT_ID, CLIENT_SECRET, provider

SECRET = "s" * 40


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """The server's and the provider's."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def issuer(ports: tuple[int, int]) -> Iterator[str]:
    """The provider."""
    requests = logging.getLogger("werkzeug")
    before = requests.level
    requests.setLevel(logging.ERROR)
    app = provider(ports[1], f"http://127.0.0.1:{ports[0]}/p/login/callback")
    server = make_server("127.0.0.1", ports[1], app, threaded=True)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01))
    thread.start()
    yield f"http://localhost:{ports[1]}"
    server.shutdown()
    thread.join()
    server.server_close()
    requests.setLevel(before)


def settings_of(issuer: str, **more: Any) -> dict[str, Any]:
    """The settings of a server whose users this provider knows."""
    return {
        "oidc_issuer": issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET,
        "cookie_secret": SECRET, "prefix": "/p", **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def state(ports: tuple[int, int], issuer: str) -> Iterator[Inside]:
    """An application for those users whose address is known to be theirs."""
    public = f"http://127.0.0.1:{ports[0]}/p/login/callback"
    settings = settings_of(issuer, port=ports[0], oidc_redirect_url=public)
    with inside({"/app": lambda document: None}, **settings) as served:
        yield served


def begin(browser: Browser, then: str = "/p/app") -> str:
    """The provider's page, where the browser is led."""
    answer = browser.get(f"/p/login?{urlencode({'next': then})}")
    assert answer.status == 302 and answer.headers["cache-control"] == "no-store"
    return answer.headers["location"]


def agree(page: str, user: str = "ann") -> str:
    """The path that leads back, for a user who has typed this name."""
    parts = urlsplit(page)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", f"{parts.path}?{parts.query}", f"user={user}", form)
    back = urlsplit(connection.getresponse().headers["Location"])
    connection.close()
    return f"{back.path}?{back.query}"


def log_in(browser: Browser, user: str = "ann") -> Answer:
    """The answer to a browser that comes back."""
    return browser.get(agree(begin(browser), user))


def plant(issuer: str, kind: str) -> None:
    """Have the provider make its next token a bad one."""
    parts = urlsplit(issuer)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/fault", f"kind={kind}", form)
    connection.getresponse().read()
    connection.close()


def test_user_of_the_provider_logs_in_and_out(state: Inside, issuer: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    browser = Browser(state)
    page = begin(browser, "/p/app?x=1")
    asked = parse_qs(urlsplit(page).query)
    assert page.startswith(f"{issuer}/authorize?") and asked["client_id"] == [CLIENT_ID]
    assert asked["code_challenge_method"] == ["S256"] and asked["nonce"][0] and asked["state"][0]
    answer = browser.get(agree(page))
    assert (answer.status, answer.headers["location"]) == (303, "/p/app?x=1")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert any("logged in from 127.0.0.1" in text for text in caplog.messages)
    assert browser.get("/p/app").status == 200
    assert begin(browser, "/p/app") == "/p/app"
    out = browser.get("/p/logout")
    assert out.status == 302 and out.headers["location"].startswith(f"{issuer}/logout?")
    back = parse_qs(urlsplit(out.headers["location"]).query)["post_logout_redirect_uri"][0]
    assert back.endswith("/p/logout?done=1") and browser.get("/p/logout?done=1").status == 200
    assert browser.get("/p/app").status == 302


@pytest.mark.parametrize(("proto", "more"), [("https", {}), ("http", {}), ("https", {"use_xheaders": True})])
def test_log_says_that_a_proxy_speaks_tls_and_the_provider_would_lead_back_without(
    issuer: str, proto: str, more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with inside({"/app": lambda document: None}, **settings_of(issuer, **more)) as served:
        sent = {"X-Forwarded-Proto": proto, "Host": "tools.example.org"}
        answers = [served.ask("/p/login", headers=sent) for _ in range(2)]
    asked = {parse_qs(urlsplit(answer.headers["location"]).query)["redirect_uri"][0] for answer in answers}
    assert asked == {f"{proto if more else 'http'}://tools.example.org/p/login/callback"}
    expected = [
        "A proxy sends X-Forwarded-Proto, which is ignored without --use-xheaders: the provider is to lead people back "
        "to http://tools.example.org/p/login/callback. Set it if only the proxy reaches this server"
    ]
    assert caplog.messages == (expected if proto == "https" and not more else [])


def test_code_is_for_the_browser_that_asked_for_it_and_once(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    browser, other = Browser(state), Browser(state)
    back = agree(begin(browser))
    answer = other.get(back)
    assert answer.status == 403 and "This login has expired, or did not begin here" in answer.text
    assert caplog.messages == ["Refused a login from 127.0.0.1: it has expired, or did not begin here"]
    assert browser.get(back).status == 303 and browser.get(back).status == 403
    assert browser.get("/p/login/callback?state=%C3%A4&code=x").status == 403


@pytest.mark.parametrize("kind", ["nonce", "audience", "issuer", "expired", "stranger"])
def test_token_that_is_not_as_it_should_be_lets_nobody_in(
    state: Inside, issuer: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(state)
    back = agree(begin(browser))
    plant(issuer, kind)
    answer = browser.get(back)
    assert answer.status == 502 and browser.get("/p/app").status == 302
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("error=access_denied&error_description=no", 403),
        ("error=server_error", 502),
        ("", 403),
        ("code=nonsense", 403),
    ],
)
def test_provider_that_says_no_is_believed(state: Inside, query: str, status: int) -> None:
    browser = Browser(state)
    state = parse_qs(urlsplit(begin(browser)).query)["state"][0]
    answer = browser.get(f"/p/login/callback?state={state}&{query}")
    assert answer.status == status
    assert browser.get("/p/app").status == 302


@pytest.mark.parametrize(("user", "status", "page"), [("ann", 303, 200), ("bob", 403, 302)])
def test_only_users_who_are_allowed_get_in(
    ports: tuple[int, int], issuer: str, user: str, status: int, page: int
) -> None:
    public = f"http://127.0.0.1:{ports[0]}/p/login/callback"
    settings = settings_of(issuer, oidc_redirect_url=public, oidc_allow=("email=*@example.org",))
    with inside({"/app": lambda document: None}, **settings) as served:
        browser = Browser(served)
        assert (log_in(browser, user).status, browser.get("/p/app").status) == (status, page)


def test_access_token_is_kept_for_applications_and_can_be_renewed(ports: tuple[int, int], issuer: str) -> None:
    public = f"http://127.0.0.1:{ports[0]}/p/login/callback"
    with inside(
        {"/app": lambda document: None}, **settings_of(issuer, oidc_redirect_url=public, access_tokens=True)
    ) as served:
        browser = Browser(served)
        assert log_in(browser).status == 303 and browser.get("/p/app").status == 200
        (session,) = served.server.state.runtimes[0].registry
        token = session.context.access_token()
        assert token and token not in "".join(browser.cookies.values())
        auth: Any = served.server.state.policy.auth
        (tokens,) = auth._tokens._known.values()
        new = served.do(auth.renew(tokens))
        assert new.access != token and new.refresh and new.expires_at > time.time()
        with pytest.raises(LoginRefused):
            served.do(auth.renew(tokens))  # a refresh token is good once
        kept = {name: browser.cookies.pop(name) for name in list(browser.cookies) if "tokens" in name}
        auth._tokens.forget(auth.owner(session.context.user))
        assert browser.get("/p/app").status == 302 and kept  # a login without a token is not one
        browser.cookies.update(kept)
        assert browser.get("/p/app").status == 200
        assert browser.get("/p/logout").status == 302
        assert not any("tokens" in name for name in browser.cookies)


def test_without_the_setting_no_access_token_is_kept(state: Inside) -> None:
    browser = Browser(state)
    assert log_in(browser).status == 303 and browser.get("/p/app").status == 200
    assert not any("tokens" in name for name in browser.cookies)
    session = list(state.server.state.runtimes[0].registry)[-1]
    assert session.context.access_token() is None


def test_cookie_holds_as_much_of_a_user_as_fits(state: Inside, caplog: pytest.LogCaptureFixture) -> None:
    browser = Browser(state)
    assert log_in(browser, "crowd").status == 303
    assert any("says too much of '1003' for a cookie; groups and such are left out" in text for text in caplog.messages)
    assert browser.get("/p/app").status == 200


def test_logins_that_are_never_finished_do_not_pile_up(state: Inside) -> None:
    browser = Browser(state)
    for _ in range(20):
        begin(browser)
    assert len(browser.cookies) <= 9


def test_provider_that_is_not_there_is_a_502_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    gone = f"http://localhost:{free_port()}"
    with inside({"/app": lambda document: None}, **settings_of(gone)) as served:
        answer = Browser(served).get("/p/login")
        out = Browser(served).get("/p/logout")
    assert answer.status == 502 and "The login service is not working" in answer.text
    assert caplog.messages[0].startswith("No user can log in: the OpenID Connect provider is at fault. ")
    assert out.status == 200 and caplog.messages[-1].startswith("Logged out here, but not with the OpenID Connect")


# What the backend asks the provider


class Answers(OidcBackend):
    """A backend whose provider answers what the test says."""

    def __init__(self, **answers: tuple[int, bytes]) -> None:
        super().__init__(Settings(**settings_of("https://id.example")))
        self.answers = answers
        self.asked: list[str] = []

    async def _fetch(self, request: Any) -> tuple[int, bytes]:
        name = "keys" if "keys" in request.url else "description"
        self.asked.append(name)
        return self.answers[name]


DESCRIPTION = {
    "issuer": "https://id.example", "authorization_endpoint": "https://id.example/a",
    "token_endpoint": "https://id.example/t", "jwks_uri": "https://id.example/keys",
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, b"{}"), "it answered 500"),
        ((200, b"<html>"), "it answered 200 and no JSON"),
        ((200, b"[" * 100_000), "it answered 200 and no JSON"),
    ],
)
async def test_answer_that_is_no_description_is_the_providers_fault(answer: tuple[int, bytes], words: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await Answers(description=answer).provider()
    assert caught.value.what == words
    assert caught.value.where == "https://id.example/.well-known/openid-configuration"


async def test_description_is_kept_for_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = Answers(description=(200, json.dumps(DESCRIPTION).encode()))
    now_s = time.monotonic()
    for later_s, asked in ((0, 1), (3599, 1), (3602, 2)):
        monkeypatch.setattr(time, "monotonic", lambda later_s=later_s: now_s + later_s)
        await auth.provider()
        assert len(auth.asked) == asked


async def test_unknown_key_is_looked_for_at_most_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    auth = Answers(description=(200, json.dumps(DESCRIPTION).encode()), keys=(200, b'{"keys": []}'))
    found = await auth.provider()
    attempt = Attempt.of("state", auth.state_seal.tag)

    def unknown(*anything: object, **more: object) -> None:
        raise ProviderError("the key is not known", where="kid")

    monkeypatch.setattr(oidc.oidc, "read_id_token", unknown)
    now_s = time.monotonic()
    for later_s, asked in ((0, 1), (59, 1), (61, 2), (62, 2)):
        monkeypatch.setattr(time, "monotonic", lambda later_s=later_s: now_s + later_s)
        with pytest.raises(ProviderError):
            await auth._read_id_token(found, "x", attempt, None)
        assert auth.asked.count("keys") == asked


async def test_address_of_the_callback_is_that_of_the_request_unless_it_was_given() -> None:
    handler: Any = SimpleNamespace(request=SimpleNamespace(protocol="https", host="public.example"))
    assert Answers().redirect_url(handler) == "https://public.example/p/login/callback"
    given = OidcBackend(Settings(**settings_of("https://id.example", oidc_redirect_url="https://x/cb")))
    assert given.redirect_url(handler) == "https://x/cb"
