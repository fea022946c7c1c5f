"""What of a provider's answers is believed."""

from __future__ import annotations

import base64
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app_server.security.auth.oidc import (
    Attempt,
    LoginRefused,
    Provider,
    ProviderError,
    authorization_url,
    check_rules,
    discovery_url,
    kept_claims,
    logout_url,
    needs_userinfo,
    read_id_token,
    read_provider,
    read_tokens,
    token_request,
    user_from,
    with_userinfo,
)

ISSUER = "https://id.example.org"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
    "end_session_endpoint": f"{ISSUER}/logout",
}
PROVIDER = read_provider(DOCUMENT, ISSUER)
ATTEMPT = Attempt("state", "v" * 43, "nonce")
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
KEYS = {"keys": [KEY.as_dict(private=False)]}
NOW = 1_000_000
CLAIMS = {"iss": ISSUER, "aud": "plots", "sub": "7", "nonce": "nonce", "iat": NOW, "exp": NOW + 60}


def id_token(**changes: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)


def read(text: str, keys: Any = KEYS, provider: Provider = PROVIDER) -> dict[str, Any]:
    return read_id_token(text, keys, provider, "plots", ATTEMPT, clock=lambda: NOW)


def _part(value: Any) -> str:
    return _text(json.dumps(value).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_description_lies_below_the_issuer() -> None:
    assert discovery_url(f"{ISSUER}/realm/") == f"{ISSUER}/realm/.well-known/openid-configuration"


def test_provider_is_read_from_its_description() -> None:
    assert PROVIDER == Provider(
        ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/keys", end_session_endpoint=f"{ISSUER}/logout"
    )


@pytest.mark.parametrize(
    ("document", "what"),
    [
        ([], "its description is not a JSON object"),
        ({**DOCUMENT, "issuer": "https://evil.example"}, "it calls itself 'https://evil.example'"),
        ({**DOCUMENT, "token_endpoint": "http://id.example.org/token"}, "its token_endpoint is missing or not https://"),
        ({**DOCUMENT, "jwks_uri": None}, "its jwks_uri is missing or not https://"),
        ({**DOCUMENT, "id_token_signing_alg_values_supported": ["HS256", "none"]},
         "it signs with nothing that we believe in"),
    ],
)  # fmt: skip
def test_description_that_does_not_fit_is_refused(document: Any, what: str) -> None:
    with pytest.raises(ProviderError) as caught:
        read_provider(document, ISSUER)
    assert caught.value.what == what


def test_browser_is_sent_with_state_nonce_and_challenge() -> None:
    url = urlsplit(authorization_url(PROVIDER, "plots", "https://plots/login/callback", "openid email", ATTEMPT))
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{ISSUER}/authorize"
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert query.pop("code_challenge") not in ("", ATTEMPT.verifier)
    assert query == {
        "response_type": "code", "client_id": "plots", "redirect_uri": "https://plots/login/callback",
        "scope": "openid email", "state": "state", "nonce": "nonce", "code_challenge_method": "S256",
    }  # fmt: skip


def test_verifier_and_nonce_follow_from_state_and_secret() -> None:
    one = Attempt.of("state", lambda text: f"a {text}")
    assert one == Attempt.of("state", lambda text: f"a {text}")
    assert len({one.state, one.verifier, one.nonce}) == 3
    assert one.nonce != Attempt.of("state", lambda text: f"b {text}").nonce


def test_code_is_redeemed_with_secret_and_verifier() -> None:
    request = token_request(PROVIDER, "plots", "hush", "https://plots/login/callback", "code", ATTEMPT)
    assert (request.method, request.url) == ("POST", f"{ISSUER}/token")
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"plots:hush").decode()
    assert parse_qs(request.body or "") == {
        "grant_type": ["authorization_code"], "code": ["code"], "redirect_uri": ["https://plots/login/callback"],
        "code_verifier": [ATTEMPT.verifier],
    }  # fmt: skip


def test_secret_that_a_header_might_garble_goes_by_form() -> None:
    methods = ["client_secret_basic", "client_secret_post"]
    provider = read_provider({**DOCUMENT, "token_endpoint_auth_methods_supported": methods}, ISSUER)
    request = token_request(provider, "plots", "hüsh:%", "https://plots/login/callback", "code", ATTEMPT)
    assert "Authorization" not in request.headers
    assert parse_qs(request.body or "")["client_secret"] == ["hüsh:%"]


def test_good_id_token_gives_its_claims() -> None:
    assert read(id_token(email="ann@example.org"))["email"] == "ann@example.org"
    assert read(id_token(aud=["plots", "others"], azp="plots"))["sub"] == "7"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"}, {"aud": "others"}, {"aud": ["plots", "others"], "azp": "others"},
        {"nonce": "another"}, {"nonce": None}, {"exp": NOW - 61}, {"exp": None}, {"iat": NOW + 3600}, {"sub": None},
        {"sub": ""}, {"sub": 7},
    ],
)  # fmt: skip
def test_id_token_that_does_not_fit_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        read(id_token(**changes))


def test_id_token_is_refused_unless_a_published_key_signed_it() -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "one"})
    with pytest.raises(ProviderError, match="is not valid"):
        read(jwt.encode({"alg": "RS256", "kid": "one"}, CLAIMS, stranger))
    unsigned = f"{_part({'alg': 'none', 'kid': 'one'})}.{_part(CLAIMS)}."
    for text in (unsigned, "", "x", "a.b.c", id_token()[:-8] + "AAAAAAAA"):
        with pytest.raises(ProviderError):
            read(text)
    with pytest.raises(ProviderError) as caught:
        read(jwt.encode({"alg": "RS256", "kid": "two"}, CLAIMS, stranger))
    assert caught.value.where == "kid"


def test_public_key_does_not_do_as_a_shared_secret() -> None:
    body = f"{_part({'alg': 'HS256', 'kid': 'one'})}.{_part(CLAIMS)}"
    forged = hmac.digest(KEY.as_pem(private=False), body.encode(), "sha256")
    with pytest.raises(ProviderError):
        read(f"{body}.{_text(forged)}")


@pytest.mark.parametrize("keys", [None, [], {}, {"keys": None}, {"keys": [1]}, {"keys": [{"kty": "RSA"}]}])
def test_malformed_keys_are_the_providers_fault(keys: Any) -> None:
    with pytest.raises(ProviderError):
        read(id_token(), keys)


def test_token_endpoint_says_whose_fault_it_is() -> None:
    assert read_tokens(200, {"id_token": "a", "access_token": "b"}, "x") == ("a", "b")
    with pytest.raises(LoginRefused):
        read_tokens(400, {"error": "invalid_grant"}, "x")
    with pytest.raises(ProviderError) as caught:
        read_tokens(401, {"error": "invalid_client"}, "https://id/token")
    assert str(caught.value) == (
        "https://id/token: it answered 401 'invalid_client'. Check --oidc-client-id and the client's secret."
    )
    with pytest.raises(ProviderError, match="it answered 200 and no ID token"):
        read_tokens(200, [], "x")


def test_userinfo_fills_what_the_token_leaves_out() -> None:
    assert needs_userinfo(CLAIMS, ())
    assert not needs_userinfo({**CLAIMS, "email": "a@b"}, ())
    assert needs_userinfo({**CLAIMS, "email": "a@b"}, ["groups=staff"])
    assert with_userinfo(CLAIMS, {"sub": "7", "email": "a@b", "iss": "x"}) == {**CLAIMS, "email": "a@b"}
    with pytest.raises(ProviderError):
        with_userinfo(CLAIMS, {"sub": "8", "email": "a@b"})


@pytest.mark.parametrize(
    ("claims", "rules", "allowed"),
    [
        ({}, [], True),
        ({"groups": ["staff", "all"]}, ["groups=staff"], True),
        ({"groups": ["all"]}, ["groups=staff"], False),
        ({"groups": "staff"}, ["groups=staff"], True),
        ({"email": "Ann@Example.org", "email_verified": True}, ["email=*@example.org"], True),
        ({"email": "ann@example.org", "email_verified": False}, ["email=*@example.org"], False),
        ({"email": "ann@example.org"}, ["email=*@example.org"], False),
        ({"email": "ann@example.org.evil", "email_verified": True}, ["email=*@example.org"], False),
        ({"admin": True}, ["admin=true"], True),
        ({"name": "x=y"}, ["groups=staff", "name=x=y"], True),
        ({"groups": {"staff": 1}}, ["groups=*"], False),
    ],
)
def test_rules_let_in_whom_one_of_them_fits(claims: dict[str, Any], rules: list[str], allowed: bool) -> None:
    if allowed:
        check_rules(claims, rules)
    else:
        with pytest.raises(LoginRefused):
            check_rules(claims, rules)


def test_user_is_named_by_the_best_claim_there_is() -> None:
    assert user_from({"sub": "7"}).name == "7"
    assert user_from({"sub": "7", "name": "Ann", "email": "a@b"}).name == "a@b"
    assert user_from({"sub": "7", "preferred_username": "ann\n"}).name == "ann"
    assert kept_claims({**CLAIMS, "email": "a@b"}) == {"iss": ISSUER, "sub": "7", "email": "a@b"}


def test_logout_leads_to_the_provider_and_back() -> None:
    url = logout_url(PROVIDER, "plots", "https://plots/logout?done=1")
    assert url == f"{ISSUER}/logout?client_id=plots&post_logout_redirect_uri=https%3A%2F%2Fplots%2Flogout%3Fdone%3D1"
    assert logout_url(Provider(ISSUER, "a", "b", "c"), "plots", "https://plots/") is None
