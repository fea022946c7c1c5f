"""OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636): what to ask, and what to believe.

    login page -> provider's page -> callback with a code -> token endpoint -> ID token -> user

The browser carries only `state`, in a signed cookie. The verifier and the nonce are derived from it and from the
server's secret, so any instance with that secret can finish a login that another one began.

authlib writes the requests and checks the tokens. It is imported when it is used, because it is an extra.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from app_server.errors import AppServerError, OperatorError
from app_server.security.auth.users import LONGEST_NAME, User, listed
from app_server.version import how_to_install

# Algorithms that sign with a key pair. HS256 would sign with the client's secret, and "none" with nothing.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_KEY_TYPES: Final = ("RSA", "EC", "OKP")
_LEEWAY_S: Final = 60  # between the clocks of two machines

# Useless to an application, or valid only for one login.
_PROTOCOL_CLAIMS: Final = frozenset("aud exp iat nbf nonce at_hash c_hash s_hash azp jti sid auth_time amr acr".split())
_NAME_CLAIMS: Final = ("preferred_username", "email", "name", "sub")
_SURE_CLAIMS: Final = ("iss", "sub", "email", "email_verified", "name", "preferred_username")


class ProviderError(AppServerError):
    """The provider cannot be reached, or sends an invalid answer. The visitor gets status 502."""


class LoginRefused(AppServerError):
    """The provider, or the operator's rules, do not allow this user. Status 403."""


@dataclass(frozen=True)
class Provider:
    """What a provider says of itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_methods: tuple[str, ...] = ("client_secret_basic",)
    algorithms: tuple[str, ...] = ("RS256",)


@dataclass(frozen=True)
class Request:
    """A request to be sent to the provider."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str | None = None


def require_authlib(where: str = "--oidc-issuer", what: str = "OpenID Connect") -> None:
    """Return if the extra is installed; OperatorError says how to install it, for the setting `where`."""
    try:
        import authlib.oidc.core  # noqa: F401
        import joserfc.jwt  # noqa: F401
    except ImportError as error:
        raise OperatorError(
            f"{what} needs a package that is not installed: {error.name}",
            where=where,
            hint=how_to_install("oidc"),
        ) from None


def discovery_url(issuer: str) -> str:
    """Where the provider describes itself."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def read_provider(document: Any, issuer: str) -> Provider:
    """The provider that the document describes; ProviderError if it is not that of this issuer."""
    if not isinstance(document, dict):
        raise ProviderError("its description is not a JSON object", where=discovery_url(issuer))
    said = document.get("issuer")
    if not isinstance(said, str) or said.rstrip("/") != issuer.rstrip("/"):
        hint = "Give --oidc-issuer as the provider writes it."
        raise ProviderError(f"it calls itself {str(said)[:200]!r}", where=discovery_url(issuer), hint=hint)
    urls: dict[str, str | None] = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"):
        value = document.get(name)
        optional = name in ("userinfo_endpoint", "end_session_endpoint")
        if value is None and optional:
            continue
        if not _is_safe(value):
            raise ProviderError(f"its {name} is missing or not https://", where=discovery_url(issuer))
        urls[name] = value
    methods = document.get("token_endpoint_auth_methods_supported")
    algorithms = document.get("id_token_signing_alg_values_supported")
    known = [name for name in algorithms if name in _ALGORITHMS] if isinstance(algorithms, list) else ["RS256"]
    if not known:
        raise ProviderError("it supports no signature algorithm that we accept", where=discovery_url(issuer))
    return Provider(
        issuer=said,
        token_methods=tuple(map(str, methods)) if isinstance(methods, list) and methods else ("client_secret_basic",),
        algorithms=tuple(known),
        **urls,  # type: ignore[arg-type]  # those without a default are there
    )


def _is_safe(url: object) -> bool:
    if not isinstance(url, str) or not url.isprintable():
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True)
class Attempt:
    """One login under way: `state` travels, the other two are derived from it."""

    state: str
    verifier: str
    nonce: str

    @classmethod
    def of(cls, state: str, tag: Callable[[str], str]) -> Attempt:
        """The attempt with this state; `tag` is what only the holder of the server's secret can work out."""
        return cls(state, tag(f"verifier {state}"), tag(f"nonce {state}"))


def authorization_url(provider: Provider, client_id: str, redirect_url: str, scope: str, attempt: Attempt) -> str:
    """Where the browser is sent to log in."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    url = prepare_grant_uri(
        provider.authorization_endpoint,
        client_id=client_id,
        response_type="code",
        redirect_uri=redirect_url,
        scope=scope,
        state=attempt.state,
        nonce=attempt.nonce,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
    )
    return str(url)


def token_request(
    provider: Provider, client_id: str, secret: str, redirect_url: str, code: str, attempt: Attempt
) -> Request:
    """The request that turns a code into tokens."""
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    body = prepare_token_request(
        "authorization_code", redirect_uri=redirect_url, code=code, code_verifier=attempt.verifier
    )
    return _to_token_endpoint(provider, client_id, secret, body)


def refresh_request(provider: Provider, client_id: str, secret: str, refresh_token: str) -> Request:
    """The request that renews an access token (RFC 6749, section 6)."""
    from authlib.oauth2.rfc6749.parameters import prepare_token_request

    body = prepare_token_request("refresh_token", refresh_token=refresh_token)
    return _to_token_endpoint(provider, client_id, secret, body)


def _to_token_endpoint(provider: Provider, client_id: str, secret: str, body: str) -> Request:
    from authlib.oauth2.auth import ClientAuth

    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    method = _token_method(provider, client_id + secret)
    url, headers, body = ClientAuth(client_id, secret, method).prepare("POST", provider.token_endpoint, headers, body)
    return Request("POST", url, headers, body)


def _token_method(provider: Provider, credentials: str) -> str:
    # Providers disagree on how the header writes what is not plain (RFC 6749, section 2.3.1); a form leaves no doubt.
    plain = re.fullmatch(r"[A-Za-z0-9._~-]+", credentials) is not None
    offered = [name for name in ("client_secret_basic", "client_secret_post") if name in provider.token_methods]
    if not offered:
        raise ProviderError("its token endpoint does not accept a client secret", where=provider.token_endpoint)
    return offered[0 if plain else -1]


def userinfo_request(provider: Provider, access_token: str) -> Request:
    """The request for what the ID token leaves out."""
    headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
    return Request("GET", provider.userinfo_endpoint or "", headers)


def read_tokens(status: int, document: Any, where: str) -> tuple[str, str | None]:
    """The ID token and the access token of the token endpoint's answer.

    LoginRefused if the code is not valid (any more), ProviderError for everything else.
    """
    fields = document if isinstance(document, dict) else {}
    if status == 200 and isinstance(fields.get("id_token"), str):
        access_token = fields.get("access_token")
        return fields["id_token"], access_token if isinstance(access_token, str) else None
    error = fields.get("error")
    if error == "invalid_grant":
        raise LoginRefused("the provider says that the login has expired or was used", where=where)
    what = f"it answered {status}" + (f" {error[:100]!r}" if isinstance(error, str) else " and no ID token")
    hint = "Check --oidc-client-id and the client's secret." if error == "invalid_client" else None
    raise ProviderError(what, where=where, hint=hint)


def read_id_token(
    text: str,
    keys: Any,
    provider: Provider,
    client_id: str,
    attempt: Attempt,
    *,
    access_token: str | None = None,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """The claims of the ID token, all that section 3.1.3.7 of the standard asks for verified.

    `keys` is the provider's JWK set. Raises ProviderError; its `where` is "kid" if the key is not among them.
    """
    from authlib.oidc.core import CodeIDToken
    from joserfc import jwt
    from joserfc.errors import InvalidKeyIdError, JoseError

    options = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": client_id},
        "sub": {"essential": True},
        "nonce": {"essential": True, "value": attempt.nonce},
    }
    params = {"nonce": attempt.nonce, "client_id": client_id, "access_token": access_token}
    try:
        token = jwt.decode(text, _key_set(keys), algorithms=list(provider.algorithms))
        claims = CodeIDToken(token.claims, token.header, options, params)
        claims.validate(now=int(clock()), leeway=_LEEWAY_S)
    except InvalidKeyIdError:
        raise ProviderError("its ID token is signed with a key that it does not publish", where="kid") from None
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderError(f"its ID token is not valid: {error}", where=provider.issuer) from None
    found = dict(claims)
    if not isinstance(found["sub"], str) or not found["sub"].strip():
        raise ProviderError("its ID token names nobody", where=provider.issuer)
    return found


def _key_set(keys: Any) -> Any:
    from joserfc.jwk import KeySet

    listed = keys.get("keys") if isinstance(keys, dict) else None
    usable = [
        key
        for key in (listed if isinstance(listed, list) else [])
        if isinstance(key, dict) and key.get("kty") in _KEY_TYPES and key.get("use", "sig") == "sig"
    ]
    return KeySet.import_key_set({"keys": usable})


def needs_userinfo(claims: Mapping[str, Any], rules: Sequence[str], also: Collection[str] = ()) -> bool:
    """Whether the ID token leaves out a name, or what the rules look at, or one of these claims."""
    wanted = {rule.partition("=")[0] for rule in rules} | set(also)
    return not any(name in claims for name in _NAME_CLAIMS[:-1]) or not wanted <= claims.keys()


def with_userinfo(claims: Mapping[str, Any], document: Any) -> dict[str, Any]:
    """The claims together with those of the userinfo endpoint, if these are of the same user. The token's win."""
    if not isinstance(document, dict) or document.get("sub") != claims["sub"]:
        raise ProviderError("its userinfo is of another user", where=str(claims.get("iss")))
    return {**document, **claims}


def check_rules(claims: Mapping[str, Any], rules: Sequence[str], flag: str = "--oidc-allow") -> None:
    """Return if one of the rules `claim=pattern` fits, or there are none; LoginRefused otherwise.

    A claim that is a list fits by one of its items. An email fits only if the provider has verified it.
    """
    if rules and not any(_fits(claims, *rule.split("=", 1)) for rule in rules):
        raise LoginRefused(f"none of {flag} fits this user")


def _fits(claims: Mapping[str, Any], name: str, pattern: str) -> bool:
    value = claims.get(name) if name in claims else list(groups_in(claims, name))
    if name == "email" and claims.get("email_verified") is not True:
        return False
    if name == "email":
        value, pattern = str(value).lower(), pattern.lower()
    values = value if isinstance(value, list) else [value]
    return any(fnmatchcase(_word(item), pattern) for item in values if isinstance(item, (str, int)))


def _word(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def kept_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """What an application may find useful."""
    return {name: value for name, value in claims.items() if name not in _PROTOCOL_CLAIMS}


def sure_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept if a cookie cannot hold more."""
    return {name: str(claims[name])[:300] if isinstance(claims[name], str) else claims[name]
            for name in _SURE_CLAIMS if isinstance(claims.get(name), (str, bool))}  # fmt: skip


def user_from(claims: Mapping[str, Any], groups: tuple[str, ...] = (), way: str = "oidc") -> User:
    """The user whom the claims describe, in these groups."""
    names = (_shown(claims.get(name)) for name in _NAME_CLAIMS)
    return User(next(filter(None, names), ""), way, MappingProxyType(dict(claims)), groups)


def groups_in(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The groups that the claim of this name lists; a dot leads into a claim, unless there is one with the dot."""
    if name in claims:
        return listed(claims[name])
    # The name of a client of Keycloak's may have dots itself: resource_access.plots.example.org.roles.
    dots = (number for number, letter in enumerate(name) if letter == ".")
    inner = ((claims.get(name[:dot]), name[dot + 1 :]) for dot in dots)
    return next(filter(None, (groups_in(claim, rest) for claim, rest in inner if isinstance(claim, Mapping))), ())


def _shown(name: object) -> str:
    """The visible characters of a name; "" for anything but text."""
    if not isinstance(name, str):
        return ""
    return "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST_NAME]


def logout_url(provider: Provider, client_id: str, back_to: str) -> str | None:
    """Where the user logs out of the provider too (RP-Initiated Logout 1.0); None if it does not support that."""
    from authlib.common.urls import add_params_to_uri

    if provider.end_session_endpoint is None:
        return None
    params = [("client_id", client_id), ("post_logout_redirect_uri", back_to)]
    return str(add_params_to_uri(provider.end_session_endpoint, params))
