"""Logging in with GitHub, or another OAuth2 provider that is not an OpenID provider."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from app_server.auth.provider import ProviderBackend, Registration, json_or_none
from app_server.auth.provider_pages import provider_routes
from app_server.http.auth_backend import Routes
from app_server.http.matching import RouteAddress
from app_server.security.auth import oauth
from app_server.security.auth.oauth import Service, Tokens
from app_server.security.auth.oidc import Attempt, Request, check_rules, require_authlib
from app_server.settings import Settings

log = logging.getLogger(__name__)

_HINT = "Check --oauth-client-id and the client's secret."


class OAuthBackend(ProviderBackend):
    """Lets in the users of `--oauth-provider`."""

    kind = "OAuth2 provider"
    way = "oauth"

    def __init__(self, settings: Settings) -> None:
        require_authlib("--oauth-provider", "OAuth2")
        assert settings.oauth_client_id and settings.oauth_client_secret
        self.service = service_of(settings)
        super().__init__(
            settings,
            Registration(
                settings.oauth_client_id, settings.oauth_client_secret,
                self.service.scope if settings.oauth_scope is None else settings.oauth_scope,
                settings.oauth_allow, "groups", settings.oauth_redirect_url,
            ),
        )  # fmt: skip
        if self.service == oauth.github() and not (self.rules or self.access.rules):
            hint = "Say who may come in with --oauth-allow, such as groups=ORGANIZATION."
            log.warning("Anyone with an account at GitHub can log in. %s", hint)

    @property
    def issuer(self) -> str:
        """The provider's address, for errors."""
        return self.service.issuer

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """The way there, the way back, and the way out."""
        return provider_routes(self, below, context)

    async def authorization_url(self, attempt: Attempt, redirect_url: str) -> str:
        """The page where people log in."""
        return oauth.authorization_url(self.service, self.client_id, redirect_url, self.scope, attempt)

    async def identify(self, code: str, attempt: Attempt, redirect_url: str) -> tuple[dict[str, Any], Tokens | None]:
        """What the provider says of the user who came back with this code, and the user's tokens."""
        request = oauth.code_request(self.service, self.client_id, self._secret, redirect_url, code, attempt)
        tokens = await self._tokens_for(request)
        claims = await self._about_user(tokens)
        check_rules(claims, self.rules, "--oauth-allow")
        return claims, tokens

    async def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for these."""
        return await self._tokens_for(
            oauth.token_request(
                self.service.token_endpoint, self.client_id, self._secret,
                grant_type="refresh_token", refresh_token=tokens.refresh or "",
            )
        )  # fmt: skip

    async def _tokens_for(self, request: Request) -> Tokens:
        status, answer = await self._fetch(request)
        return oauth.read_tokens(status, json_or_none(answer), self.service.token_endpoint, _HINT)

    async def _about_user(self, tokens: Tokens) -> dict[str, Any]:
        service = self.service
        user = await self._json(oauth.data_request(service.user_endpoint, tokens.access))
        emails = groups = None
        if service.emails is not None and "user" in self.scope:
            emails = await self._json(oauth.data_request(service.emails, tokens.access))
        if service.organizations is not None and service.teams is not None and ":org" in self.scope:
            listed = [await self._listed(url, tokens) for url in (service.organizations, service.teams)]
            groups = oauth.github_groups(*listed)
        return oauth.claims_of(service, user, emails, groups)

    async def _listed(self, url: str, tokens: Tokens) -> list[Any]:
        """All that GitHub lists at this address, page by page."""
        found: list[Any] = []
        number = 1
        while True:
            listed = await self._json(oauth.data_request(oauth.page_of(url, number), tokens.access))
            listed = listed if isinstance(listed, list) else []
            found += listed
            if oauth.is_last_page(listed, number):
                return found
            number += 1


def service_of(settings: Settings) -> Service:
    """The provider that the settings describe."""
    if settings.oauth_provider == "github":
        return oauth.github(settings.oauth_url or "https://github.com")
    assert settings.oauth_authorize_url and settings.oauth_token_url and settings.oauth_user_url
    return Service(
        issuer=settings.oauth_user_url,
        authorization_endpoint=settings.oauth_authorize_url,
        token_endpoint=settings.oauth_token_url,
        user_endpoint=settings.oauth_user_url,
        user_id=settings.oauth_user_id,
        user_name=settings.oauth_user_name,
        groups=settings.oauth_groups,
    )
