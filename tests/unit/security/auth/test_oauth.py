"""OAuth 2.0: what is asked, and what of the answers is believed."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app_server.security.auth import oauth
from app_server.security.auth.oauth import Service, Tokens
from app_server.security.auth.oidc import Attempt, LoginRefused, ProviderError

ATTEMPT = Attempt("state", "verifier", "nonce")
TOKEN = "https://github.com/login/oauth/access_token"
PLAIN = Service("https://x.example/me", "https://x.example/a", "https://x.example/t", "https://x.example/me")


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://github.com/", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://git.example.org", "https://git.example.org/api/v3"),
        ("http://localhost:8080", "http://localhost:8080/api/v3"),
    ],
)
def test_github_and_its_enterprises_have_their_own_addresses(url: str, api: str) -> None:
    service = oauth.github(url)
    assert service.authorization_endpoint == f"{url.rstrip('/')}/login/oauth/authorize"
    assert (service.user_endpoint, service.teams) == (f"{api}/user", f"{api}/user/teams")


def test_browser_is_sent_with_state_and_challenge() -> None:
    url = oauth.authorization_url(oauth.github(), "us", "https://we/cb", "read:org", ATTEMPT)
    asked = {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}
    assert url.startswith("https://github.com/login/oauth/authorize?") and len(asked.pop("code_challenge")) == 43
    assert asked == {
        "client_id": "us", "redirect_uri": "https://we/cb", "response_type": "code", "scope": "read:org",
        "state": "state", "code_challenge_method": "S256",
    }  # fmt: skip
    assert "scope" not in oauth.authorization_url(PLAIN, "us", "https://we/cb", "", ATTEMPT)


def test_code_is_sent_with_secret_and_verifier_in_the_form() -> None:
    request = oauth.code_request(oauth.github(), "us", "s&s", "https://we/cb", "c/d", ATTEMPT)
    assert (request.method, request.url) == ("POST", TOKEN)
    assert parse_qs(request.body or "") == {
        "grant_type": ["authorization_code"], "code": ["c/d"], "redirect_uri": ["https://we/cb"],
        "code_verifier": ["verifier"], "client_id": ["us"], "client_secret": ["s&s"],
    }  # fmt: skip


def test_tokens_are_read_with_their_times() -> None:
    answer = {"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "expires_in": 3600}
    assert oauth.read_tokens(200, answer, TOKEN, "hint", 100.0) == Tokens("a", 100.0, "r", 3700.0)
    assert oauth.read_tokens(200, {"access_token": "a", "expires_in": True}, TOKEN, "hint", 1.0) == Tokens("a", 1.0)
    assert oauth.read_tokens(200, {"access_token": "a", "refresh_token": ""}, TOKEN, "hint").expires_at is None
    assert "a-secret" not in repr(Tokens("a-secret", 1.0, "a-secret"))


@pytest.mark.parametrize(
    ("status", "answer", "what"),
    [
        (200, {"error": "incorrect_client_credentials"}, "it answered 200 'incorrect_client_credentials'. hint"),
        (401, {"error": "invalid_client"}, "it answered 401 'invalid_client'. hint"),
        (400, {"error": "invalid_request"}, "it answered 400 'invalid_request'"),
        (200, {"access_token": 3}, "it answered 200 and no access token"),
        (200, None, "it answered 200 and no access token"),
        (500, {"access_token": "a"}, "it answered 500 and no access token"),
        (200, {"access_token": "a", "token_type": "mac"}, "its token is of the type 'mac', not bearer"),
    ],
)
def test_other_answers_are_the_providers_fault(status: int, answer: Any, what: str) -> None:
    with pytest.raises(ProviderError) as caught:
        oauth.read_tokens(status, answer, TOKEN, "hint")
    assert str(caught.value) == f"{TOKEN}: {what}"


@pytest.mark.parametrize("error", ["invalid_grant", "bad_verification_code", "bad_refresh_token"])
def test_code_that_is_not_valid_any_more_is_no_ones_fault(error: str) -> None:
    with pytest.raises(LoginRefused):
        oauth.read_tokens(200, {"error": error}, TOKEN, "hint")


@pytest.mark.parametrize(
    ("tokens", "now_s", "valid", "due"),
    [
        (Tokens("a", 0.0), 1e9, True, False),
        (Tokens("a", 0.0, "r", 3600.0), 3479.0, True, False),
        (Tokens("a", 0.0, "r", 3600.0), 3480.0, True, True),
        (Tokens("a", 0.0, "r", 3600.0), 3600.0, False, True),
        (Tokens("a", 0.0, "r", 60.0), 29.0, True, False),
        (Tokens("a", 0.0, "r", 60.0), 30.0, True, True),
        (Tokens("a", 0.0, None, 60.0), 60.0, False, False),
    ],
)
def test_access_token_is_renewed_before_it_expires(tokens: Tokens, now_s: float, valid: bool, due: bool) -> None:
    assert (tokens.valid(now_s), tokens.due(now_s)) == (valid, due)


def test_refresh_token_stays_if_the_provider_gives_no_new_one() -> None:
    old, new = Tokens("a", 0.0, "r", 1.0), Tokens("b", 1.0, None, 2.0)
    assert oauth.renewed(old, new) == Tokens("b", 1.0, "r", 2.0)
    assert oauth.renewed(old, Tokens("b", 1.0, "s", 2.0)).refresh == "s"


@pytest.mark.parametrize("tokens", [Tokens("a", 1.5), Tokens("a", 1.5, "r", 3.0)])
def test_tokens_come_back_from_their_fields(tokens: Tokens) -> None:
    assert oauth.tokens_from(tokens.fields()) == tokens


@pytest.mark.parametrize("fields", [None, [], {}, {"access": 1, "at": 1}, {"access": "a"}, {"access": "a", "at": "x"}])
def test_other_fields_are_no_tokens(fields: Any) -> None:
    assert oauth.tokens_from(fields) is None


def test_user_is_known_by_what_never_changes() -> None:
    user = {"id": 7, "login": "ann", "name": " ", "email": "a@x.example", "extra": 1}
    assert oauth.claims_of(oauth.github(), user) == {
        "iss": "https://github.com", "sub": "7", "preferred_username": "ann", "email": "a@x.example",
    }  # fmt: skip
    emails = [3, {"email": "a@y.example", "primary": True, "verified": True}]
    claims = oauth.claims_of(oauth.github(), user, emails, ["acme"])
    assert (claims["email"], claims["email_verified"], claims["groups"]) == ("a@y.example", True, ["acme"])


@pytest.mark.parametrize(
    "emails", [None, {}, [], [{"email": "a@y.example", "primary": True}], [{"primary": True, "verified": True}]]
)
def test_email_is_verified_only_if_the_provider_says_so(emails: Any) -> None:
    assert "email_verified" not in oauth.claims_of(PLAIN, {"id": "x", "email": "a@x.example"}, emails)
    assert oauth.claims_of(PLAIN, {"id": "x", "email": "a", "email_verified": True})["email_verified"] is True
    assert oauth.claims_of(PLAIN, {"id": "x", "groups": "staff"})["groups"] == ["staff"]


@pytest.mark.parametrize("user", [[], None, {}, {"id": True}, {"id": " "}, {"id": 1.5}])
def test_answer_without_a_user_is_the_providers_fault(user: Any) -> None:
    with pytest.raises(ProviderError):
        oauth.claims_of(PLAIN, user)


def test_groups_of_github_are_organizations_and_their_teams() -> None:
    organizations = [{"login": "acme"}, {"login": 3}, "x"]
    teams = [{"slug": "maps", "organization": {"login": "acme"}}, {"slug": "x", "organization": None}, 3,
             {"slug": "ops", "organization": {"login": "other"}}, {"organization": {"login": "acme"}}]  # fmt: skip
    assert oauth.github_groups(organizations, teams) == ["acme", "acme/maps", "other", "other/ops"]


def test_lists_are_read_until_a_page_is_not_full() -> None:
    assert oauth.page_of("https://api.github.com/user/orgs", 2).endswith("/user/orgs?per_page=100&page=2")
    assert not oauth.is_last_page([1] * 100, 1)
    assert oauth.is_last_page([1] * 99, 1) and oauth.is_last_page([], 3) and oauth.is_last_page([1] * 100, 20)


def test_access_token_travels_in_a_header() -> None:
    request = oauth.data_request("https://api.github.com/user", "t0ken")
    assert request.headers["Authorization"] == "Bearer t0ken" and "t0ken" not in request.url
