"""What of a provider's answers is believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from app_server.errors import OperatorError
from app_server.security.auth.oidc import (
    Attempt,
    LoginRefused,
    Provider,
    ProviderError,
    authorization_url,
    check_rules,
    discovery_url,
    groups_in,
    kept_claims,
    logout_url,
    needs_userinfo,
    read_id_token,
    read_provider,
    read_tokens,
    require_authlib,
    sure_claims,
    token_request,
    user_from,
    userinfo_request,
    with_userinfo,
)
from app_server.version import how_to_install

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
    for realm in ("realm", "X"):
        assert discovery_url(f"{ISSUER}/{realm}/") == f"{ISSUER}/{realm}/.well-known/openid-configuration"


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
         "it supports no signature algorithm that we accept"),
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


def test_without_the_extra_the_operator_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require_authlib()
    monkeypatch.setitem(sys.modules, "joserfc.jwt", None)
    with pytest.raises(OperatorError) as caught:
        require_authlib()
    assert str(caught.value) == (
        f"--oidc-issuer: OpenID Connect needs a package that is not installed: joserfc.jwt. {how_to_install('oidc')}"
    )


def test_slash_at_the_end_of_an_issuer_does_not_matter() -> None:
    with_slash = {**DOCUMENT, "issuer": f"{ISSUER}/"}
    assert read_provider(with_slash, ISSUER).issuer == f"{ISSUER}/"
    assert read_provider(DOCUMENT, f"{ISSUER}/").issuer == ISSUER


DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"issuer": "x" * 300},
         f"it calls itself {'x' * 200!r}. Give --oidc-issuer as the provider writes it."),
        ({"issuer": None}, "it calls itself 'None'. Give --oidc-issuer as the provider writes it."),
        ({"authorization_endpoint": None}, "its authorization_endpoint is missing or not https://"),
        ({"userinfo_endpoint": 7}, "its userinfo_endpoint is missing or not https://"),
        ({"end_session_endpoint": "https://id\n"}, "its end_session_endpoint is missing or not https://"),
        ({"token_endpoint": "https://[id/"}, "its token_endpoint is missing or not https://"),
        ({"jwks_uri": "ftp://localhost/keys"}, "its jwks_uri is missing or not https://"),
        ({"id_token_signing_alg_values_supported": []}, "it supports no signature algorithm that we accept"),
    ],
)  # fmt: skip
def test_what_does_not_fit_in_a_description_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ProviderError) as caught:
        read_provider({**DOCUMENT, **changes}, ISSUER)
    assert str(caught.value) == f"{DISCOVERY}: {message}"


def test_description_that_is_no_object_is_told_with_its_place() -> None:
    with pytest.raises(ProviderError) as caught:
        read_provider("<html>", ISSUER)
    assert str(caught.value) == f"{DISCOVERY}: its description is not a JSON object"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "localhost:8080"])
def test_provider_on_this_machine_needs_no_https(host: str) -> None:
    assert read_provider({**DOCUMENT, "jwks_uri": f"http://{host}/keys"}, ISSUER).jwks_uri == f"http://{host}/keys"


def test_everything_that_a_provider_offers_is_read() -> None:
    provider = read_provider(
        {**DOCUMENT, "userinfo_endpoint": f"{ISSUER}/me",
         "token_endpoint_auth_methods_supported": ["client_secret_post"],
         "id_token_signing_alg_values_supported": ["none", "ES256", "RS256", "HS256"]},
        ISSUER,
    )  # fmt: skip
    assert provider == Provider(
        ISSUER, f"{ISSUER}/authorize", f"{ISSUER}/token", f"{ISSUER}/keys", f"{ISSUER}/me", f"{ISSUER}/logout",
        ("client_secret_post",), ("ES256", "RS256"),
    )  # fmt: skip


@pytest.mark.parametrize("methods", [None, [], "client_secret_post"])
def test_provider_that_does_not_say_how_takes_the_secret_in_a_header(methods: Any) -> None:
    provider = read_provider({**DOCUMENT, "token_endpoint_auth_methods_supported": methods}, ISSUER)
    assert provider.token_methods == ("client_secret_basic",)
    assert provider.end_session_endpoint == f"{ISSUER}/logout"


def test_attempt_is_worked_out_from_its_state() -> None:
    assert Attempt.of("state", lambda text: f"<{text}>") == Attempt("state", "<verifier state>", "<nonce state>")


def test_challenge_is_that_of_the_verifier() -> None:
    url = authorization_url(PROVIDER, "plots", "https://plots/", "openid", ATTEMPT)
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert parse_qs(urlsplit(url).query)["code_challenge"] == [_text(digest)]


@pytest.mark.parametrize(
    ("methods", "secret", "by_header"),
    [
        (["client_secret_basic", "client_secret_post"], "Hush-7._~", True),
        (["client_secret_basic", "client_secret_post"], "hush!", False),
        (["client_secret_post"], "hush", False),
        (["client_secret_basic"], "hush!", True),
        (["private_key_jwt", "client_secret_post", "client_secret_basic"], "hush", True),
    ],
)
def test_secret_goes_where_the_provider_takes_it(methods: list[str], secret: str, by_header: bool) -> None:
    provider = read_provider({**DOCUMENT, "token_endpoint_auth_methods_supported": methods}, ISSUER)
    request = token_request(provider, "plots", secret, "https://plots/", "code", ATTEMPT)
    assert ("Authorization" in request.headers) is by_header
    assert parse_qs(request.body or "").get("client_secret") == (None if by_header else [secret])
    assert request.headers["Accept"] == "application/json"
    assert request.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert request.method == "POST"


def test_provider_that_takes_no_secret_is_told() -> None:
    provider = read_provider({**DOCUMENT, "token_endpoint_auth_methods_supported": ["private_key_jwt"]}, ISSUER)
    with pytest.raises(ProviderError) as caught:
        token_request(provider, "plots", "hush", "https://plots/", "code", ATTEMPT)
    assert str(caught.value) == f"{ISSUER}/token: its token endpoint does not accept a client secret"


def test_userinfo_is_asked_for_with_the_access_token() -> None:
    provider = read_provider({**DOCUMENT, "userinfo_endpoint": f"{ISSUER}/me"}, ISSUER)
    request = userinfo_request(provider, "token")
    assert (request.method, request.url, request.body) == ("GET", f"{ISSUER}/me", None)
    assert request.headers == {"Accept": "application/json", "Authorization": "Bearer token"}
    assert userinfo_request(PROVIDER, "token").url == ""


@pytest.mark.parametrize(
    ("status", "document", "error", "message"),
    [
        (400, {"error": "invalid_grant"}, LoginRefused, "x: the provider says that the login has expired or was used"),
        (400, {"error": "e" * 200}, ProviderError, f"x: it answered 400 {'e' * 100!r}"),
        (500, {"error": 7}, ProviderError, "x: it answered 500 and no ID token"),
        (400, {"id_token": "a"}, ProviderError, "x: it answered 400 and no ID token"),
        (200, {"id_token": 7}, ProviderError, "x: it answered 200 and no ID token"),
        (200, None, ProviderError, "x: it answered 200 and no ID token"),
    ],
)
def test_answer_without_tokens_is_told(status: int, document: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        read_tokens(status, document, "x")
    assert str(caught.value) == message


def test_access_token_that_is_no_text_is_none() -> None:
    assert read_tokens(200, {"id_token": "a", "access_token": 7}, "x") == ("a", None)


@pytest.mark.parametrize(("changes", "good"), [
    ({"exp": NOW - 59}, True), ({"exp": NOW - 61}, False), ({"iat": NOW + 60}, True), ({"iat": NOW + 61}, False),
    ({"nbf": NOW + 60}, True), ({"nbf": NOW + 61}, False),
])  # fmt: skip
def test_clocks_may_differ_by_a_minute(changes: dict[str, Any], good: bool) -> None:
    if good:
        assert read(id_token(**changes))["sub"] == "7"
    else:
        with pytest.raises(ProviderError, match=f"^{ISSUER}: its ID token is not valid: "):
            read(id_token(**changes))


def test_subject_without_a_letter_names_nobody() -> None:
    with pytest.raises(ProviderError) as caught:
        read(id_token(sub=" "))
    assert str(caught.value) == f"{ISSUER}: its ID token names nobody"


def test_key_that_is_not_published_is_asked_for_again() -> None:
    with pytest.raises(ProviderError) as caught:
        read(jwt.encode({"alg": "RS256", "kid": "two"}, CLAIMS, KEY))
    assert str(caught.value) == "kid: its ID token is signed with a key that it does not publish"


def test_access_token_has_to_be_the_one_that_the_id_token_is_about() -> None:
    digest = hashlib.sha256(b"access").digest()
    text = id_token(at_hash=_text(digest[:16]))
    for access_token, good in (("access", True), ("another", False)):
        if good:
            assert read_id_token(text, KEYS, PROVIDER, "plots", ATTEMPT, access_token="access", clock=lambda: NOW)
        else:
            with pytest.raises(ProviderError, match="is not valid"):
                read_id_token(text, KEYS, PROVIDER, "plots", ATTEMPT, access_token=access_token, clock=lambda: NOW)


def test_id_token_is_read_by_the_clock_of_the_machine_by_default() -> None:
    now = int(time.time())
    text = id_token(iat=now, exp=now + 60)
    assert read_id_token(text, KEYS, PROVIDER, "plots", ATTEMPT)["sub"] == "7"
    with pytest.raises(ProviderError):
        read_id_token(id_token(), KEYS, PROVIDER, "plots", ATTEMPT)


def test_algorithm_that_the_provider_does_not_name_is_refused() -> None:
    only_es = read_provider({**DOCUMENT, "id_token_signing_alg_values_supported": ["ES256"]}, ISSUER)
    with pytest.raises(ProviderError):
        read(id_token(), provider=only_es)


def test_only_keys_for_signatures_are_looked_at() -> None:
    public = KEY.as_dict(private=False)
    plain = {name: value for name, value in public.items() if name != "use"}
    assert read(id_token(), {"keys": [{"kty": "oct", "k": "AAAA", "kid": "one"}, plain]})["sub"] == "7"
    with pytest.raises(ProviderError):
        read(id_token(), {"keys": [{**public, "use": "enc"}]})


@pytest.mark.parametrize(("claims", "rules", "needed"), [
    ({"name": "Ann"}, (), False), ({"preferred_username": "ann"}, (), False), ({"sub": "7"}, (), True),
    ({"name": "Ann"}, ("name=A*", "groups=a=b"), True),
    ({"name": "Ann", "groups": []}, ("name=A*", "groups=a=b"), False),
])  # fmt: skip
def test_userinfo_is_needed_for_a_name_and_for_what_the_rules_look_at(
    claims: dict[str, Any], rules: tuple[str, ...], needed: bool
) -> None:
    assert needs_userinfo(claims, rules) is needed


@pytest.mark.parametrize("document", [None, [], {}, {"sub": "8"}])
def test_userinfo_of_another_user_is_refused(document: Any) -> None:
    with pytest.raises(ProviderError) as caught:
        with_userinfo(CLAIMS, document)
    assert str(caught.value) == f"{ISSUER}: its userinfo is of another user"


def test_user_whom_no_rule_fits_is_refused_in_words() -> None:
    with pytest.raises(LoginRefused) as caught:
        check_rules({"email": "ann@example.org"}, ["groups=staff"])
    assert str(caught.value) == "none of --oidc-allow fits this user"


@pytest.mark.parametrize(("claims", "rule", "fits"), [
    ({"email": "ann@example.org", "email_verified": True}, "email=ANN@example.org", True),
    ({"email": "ann@example.org", "email_verified": "true"}, "email=*", False),
    ({"email": ["ann@example.org"], "email_verified": True}, "email=ann@example.org", False),
    ({"admin": True}, "admin=True", False), ({"level": 7}, "level=7", True), ({"level": 7.5}, "level=*", False),
    ({"groups": ["Staff"]}, "groups=staff", False), ({}, "groups=*", False), ({"groups": []}, "groups=*", False),
    ({"groups": [None, "staff"]}, "groups=staff", True),
])  # fmt: skip
def test_claims_fit_a_rule_as_they_are_written(claims: dict[str, Any], rule: str, fits: bool) -> None:
    if fits:
        check_rules(claims, [rule])
    else:
        with pytest.raises(LoginRefused):
            check_rules(claims, [rule])


def test_sure_claims_fit_into_a_cookie() -> None:
    claims = {**CLAIMS, "email": "a" * 400, "email_verified": True, "name": ["Ann"], "groups": ["x"] * 1000}
    assert sure_claims(claims) == {"iss": ISSUER, "sub": "7", "email": "a" * 300, "email_verified": True}


@pytest.mark.parametrize(("claims", "name"), [
    ({"preferred_username": " ", "email": "a@b"}, "a@b"), ({"preferred_username": "\u200b\x00", "name": "Ann"}, "Ann"),
    ({"preferred_username": 7, "sub": "7"}, "7"), ({"name": "a" * 300}, "a" * 256), ({"name": "\x00 Ann "}, "Ann"),
    ({}, ""),
])  # fmt: skip
def test_user_is_named_by_what_can_be_seen(claims: dict[str, Any], name: str) -> None:
    user = user_from(claims)
    assert (user.name, user.way, user.claims) == (name, "oidc", claims)


def test_claims_of_a_user_cannot_be_changed() -> None:
    claims = {"sub": "7"}
    user = user_from(claims)
    claims["sub"] = "8"
    assert user.claims["sub"] == "7"
    with pytest.raises(TypeError):
        user.claims["sub"] = "8"  # type: ignore[index]


@pytest.mark.parametrize(("said", "issuer"), [(f"{ISSUER}/X", ISSUER), (ISSUER, f"{ISSUER}/X"), (f"{ISSUER}X", ISSUER)])
def test_issuer_of_another_path_is_another_provider(said: str, issuer: str) -> None:
    with pytest.raises(ProviderError, match="it calls itself"):
        read_provider({**DOCUMENT, "issuer": said}, issuer)


@pytest.mark.parametrize("algorithms", [None, "ES256"])
def test_provider_that_says_little_signs_with_rs256_and_has_no_logout(algorithms: object) -> None:
    little = {name: value for name, value in DOCUMENT.items() if name != "end_session_endpoint"}
    provider = read_provider({**little, "id_token_signing_alg_values_supported": algorithms}, ISSUER)
    assert (provider.algorithms, provider.end_session_endpoint) == (("RS256",), None)


@pytest.mark.parametrize("audience", ["others", ["others"], ["others", "more"], []])
def test_id_token_for_other_audiences_is_refused_although_it_was_made_for_us(audience: object) -> None:
    with pytest.raises(ProviderError, match="is not valid"):
        read(id_token(aud=audience, azp="plots"))


NESTED = {
    "sub": "7",
    "resource_access": {"plots": {"roles": ["a"]}, "plots.example.org": {"roles": ["b"]}},
    "https://example.org/roles": ["c"],
}


@pytest.mark.parametrize(
    ("name", "group"),
    [("resource_access.plots.roles", "a"), ("resource_access.plots.example.org.roles", "b"),
     ("https://example.org/roles", "c"), ("resource_access.plots", None), ("resource_access.others.roles", None)],
)  # fmt: skip
def test_groups_are_found_inside_of_claims_whose_names_may_have_dots(name: str, group: str | None) -> None:
    assert groups_in(NESTED, name) == (() if group is None else (group,))
    check_rules(NESTED, ["sub=8", f"{name}={group}"] if group else [])
    with pytest.raises(LoginRefused):
        check_rules(NESTED, [f"{name}=others"])
