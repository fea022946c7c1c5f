"""OAuth 2.0 (RFC 6749) with providers that are not OpenID providers, such as GitHub: what to ask, and what to believe.

    login page -> provider's page -> callback with a code -> token endpoint -> access token -> the user's own data

No ID token is signed: the user is the one whose data the access token opens. The code is only valid with this
server's secret and, where the provider supports PKCE, with the verifier of this login.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from app_server.security.auth.oidc import Attempt, LoginRefused, ProviderError, Request, groups_in

PAGE: Final = 100
"""How many organizations or teams GitHub lists at once."""
_MOST_PAGES: Final = 20

_EXPIRED: Final = ("invalid_grant", "bad_verification_code", "bad_refresh_token")
_WRONG_CLIENT: Final = ("invalid_client", "incorrect_client_credentials", "unauthorized_client")


@dataclass(frozen=True)
class Service:
    """A provider: where it lets people log in, and where it says who they are.

    `emails`, `organizations` and `teams` are GitHub's. `user_id` and `user_name` name the fields of the user's data.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_endpoint: str
    scope: str = ""
    user_id: str = "id"
    user_name: str = "login"
    groups: str = "groups"
    emails: str | None = None
    organizations: str | None = None
    teams: str | None = None


def github(url: str = "https://github.com") -> Service:
    """GitHub, or the GitHub Enterprise at this address."""
    url = url.rstrip("/")
    api = _api_of(url)
    return Service(
        issuer=url,
        authorization_endpoint=f"{url}/login/oauth/authorize",
        token_endpoint=f"{url}/login/oauth/access_token",
        user_endpoint=f"{api}/user",
        scope="read:org user:email",
        emails=f"{api}/user/emails",
        organizations=f"{api}/user/orgs",
        teams=f"{api}/user/teams",
    )


def _api_of(url: str) -> str:
    host = urlsplit(url).hostname or ""
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"{url}/api/v3"


@dataclass(frozen=True)
class Tokens:
    """An access token and, if the provider gives one, the token that renews it; times are seconds since the epoch."""

    access: str = field(repr=False)
    obtained_at: float
    refresh: str | None = field(default=None, repr=False)
    expires_at: float | None = None

    def fields(self) -> dict[str, Any]:
        """The tokens as JSON can hold them, for `tokens_from`."""
        return {"access": self.access, "at": self.obtained_at, "refresh": self.refresh, "until": self.expires_at}

    def valid(self, now_s: float) -> bool:
        """Whether the access token has not expired, as far as is known."""
        return self.expires_at is None or now_s < self.expires_at

    def due(self, now_s: float) -> bool:
        """Whether it is time to renew the access token: two minutes before it expires, or after half of its life."""
        if self.expires_at is None or self.refresh is None:
            return False
        return now_s >= self.expires_at - min(_RENEWED_BEFORE_S, (self.expires_at - self.obtained_at) / 2)


_RENEWED_BEFORE_S: Final = 120.0


def tokens_from(fields: Any) -> Tokens | None:
    """What `Tokens.fields` returned; None for anything else."""
    if not isinstance(fields, Mapping) or not isinstance(fields.get("access"), str):
        return None
    obtained_at, refresh, expires_at = fields.get("at"), fields.get("refresh"), fields.get("until")
    if not isinstance(obtained_at, (int, float)):
        return None
    return Tokens(
        fields["access"],
        obtained_at,
        refresh if isinstance(refresh, str) else None,
        expires_at if isinstance(expires_at, (int, float)) else None,
    )


def authorization_url(service: Service, client_id: str, redirect_url: str, scope: str, attempt: Attempt) -> str:
    """Where the browser is sent to log in."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    url = prepare_grant_uri(
        service.authorization_endpoint,
        client_id=client_id,
        response_type="code",
        redirect_uri=redirect_url,
        scope=scope or None,
        state=attempt.state,
        code_challenge=create_s256_code_challenge(attempt.verifier),
        code_challenge_method="S256",
    )
    return str(url)


def token_request(endpoint: str, client_id: str, secret: str, **fields: str) -> Request:
    """A request to the token endpoint; the client's secret is in the form, which all providers take."""
    headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    return Request("POST", endpoint, headers, urlencode({**fields, "client_id": client_id, "client_secret": secret}))


def code_request(
    service: Service, client_id: str, secret: str, redirect_url: str, code: str, attempt: Attempt
) -> Request:
    """The request that turns a code into tokens."""
    return token_request(
        service.token_endpoint, client_id, secret,
        grant_type="authorization_code", code=code, redirect_uri=redirect_url, code_verifier=attempt.verifier,
    )  # fmt: skip


def read_tokens(status: int, document: Any, where: str, hint: str, now_s: float | None = None) -> Tokens:
    """The tokens of the token endpoint's answer.

    LoginRefused if the code or refresh token is not valid (any more), ProviderError for everything else. `hint` is for
    a client that the provider does not know. GitHub answers 200 to what it refuses.
    """
    fields = document if isinstance(document, dict) else {}
    error, access = fields.get("error"), fields.get("access_token")
    if status == 200 and error is None and isinstance(access, str) and access:
        kind = str(fields.get("token_type", "bearer"))
        if kind.lower() != "bearer":
            raise ProviderError(f"its token is of the type {kind[:60]!r}, not bearer", where=where)
        return tokens_of(fields, time.time() if now_s is None else now_s)
    if error in _EXPIRED:
        raise LoginRefused("the provider says that the login has expired or was used", where=where)
    what = f"it answered {status}" + (f" {error[:100]!r}" if isinstance(error, str) else " and no access token")
    raise ProviderError(what, where=where, hint=hint if error in _WRONG_CLIENT else None)


def tokens_of(fields: Mapping[str, Any], now_s: float) -> Tokens:
    """The tokens that these fields of an answer hold."""
    refresh, lasts_s = fields.get("refresh_token"), fields.get("expires_in")
    known = isinstance(lasts_s, (int, float)) and not isinstance(lasts_s, bool) and lasts_s > 0
    return Tokens(
        str(fields["access_token"]),
        now_s,
        refresh if isinstance(refresh, str) and refresh else None,
        now_s + float(lasts_s) if known else None,  # type: ignore[arg-type]  # it is a number
    )


def renewed(old: Tokens, new: Tokens) -> Tokens:
    """The tokens after they were renewed: a provider that gives no new refresh token means the old one to stay."""
    return new if new.refresh is not None else replace(new, refresh=old.refresh)


def data_request(url: str, access_token: str) -> Request:
    """The request for something that the access token opens."""
    return Request("GET", url, {"Accept": "application/json", "Authorization": f"Bearer {access_token}"})


def page_of(url: str, number: int) -> str:
    """The address of one page of a list of GitHub's."""
    return f"{url}?per_page={PAGE}&page={number}"


def is_last_page(listed: Sequence[Any], number: int) -> bool:
    """Whether this page is the last one."""
    return len(listed) < PAGE or number >= _MOST_PAGES


def claims_of(service: Service, user: Any, emails: Any = None, groups: Sequence[str] | None = None) -> dict[str, Any]:
    """What is known of the user, by the names that OpenID Connect has for it.

    `sub` is what the provider promises never to give to another user; names can be changed and taken over.
    """
    if not isinstance(user, dict):
        raise ProviderError("what it says of the user is not a JSON object", where=service.user_endpoint)
    subject = user.get(service.user_id)
    if isinstance(subject, bool) or not isinstance(subject, (str, int)) or not str(subject).strip():
        what = f"what it says of the user has no {service.user_id!r}"
        raise ProviderError(what, where=service.user_endpoint, hint="Name the field with --oauth-user-id.")
    claims: dict[str, Any] = {"iss": service.issuer, "sub": str(subject)}
    for claim, field_ in (("preferred_username", service.user_name), ("name", "name"), ("email", "email")):
        value = user.get(field_)
        if isinstance(value, str) and value.strip():
            claims[claim] = value
    if user.get("email_verified") is True or user.get("verified_email") is True:
        claims["email_verified"] = True
    verified = _verified(emails)
    if verified is not None:
        claims |= {"email": verified, "email_verified": True}
    found = groups_in(user, service.groups) if groups is None else tuple(groups)
    return {**claims, "groups": list(found)} if found else claims


def _verified(emails: Any) -> str | None:
    """The user's first address, if GitHub has verified it."""
    for each in emails if isinstance(emails, list) else []:
        if isinstance(each, dict) and each.get("primary") is True and each.get("verified") is True:
            address = each.get("email")
            return address if isinstance(address, str) else None
    return None


def github_groups(organizations: Sequence[Any], teams: Sequence[Any]) -> list[str]:
    """The user's groups: `organization`, and `organization/team`."""
    found = [_login_of(each) for each in organizations]
    for team in teams:
        owner = _login_of(team.get("organization")) if isinstance(team, dict) else ""
        slug = team.get("slug") if isinstance(team, dict) else None
        found += [owner, f"{owner}/{slug}"] if owner and isinstance(slug, str) else []
    return list(dict.fromkeys(filter(None, found)))


def _login_of(organization: Any) -> str:
    login = organization.get("login") if isinstance(organization, dict) else None
    return login if isinstance(login, str) else ""
