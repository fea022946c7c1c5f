"""Logging in with an OpenID Connect provider: what it publishes, and what it says of a user."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from app_server.auth.provider import ProviderBackend, Registration, json_or_none
from app_server.auth.provider_pages import provider_routes
from app_server.http.auth_backend import Routes
from app_server.http.matching import RouteAddress
from app_server.security.auth import oauth, oidc
from app_server.security.auth.oauth import Tokens
from app_server.security.auth.oidc import Attempt, Provider, ProviderError, Request
from app_server.settings import Settings

_FRESH_S = 3600.0  # for the provider's description and keys
_RETRY_KEYS_S = 60.0  # how often an unknown key may make us look again


class OidcBackend(ProviderBackend):
    """Lets in the users of `--oidc-issuer`."""

    kind = "OpenID Connect provider"
    way = "oidc"

    def __init__(self, settings: Settings) -> None:
        oidc.require_authlib()
        assert settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret
        super().__init__(
            settings,
            Registration(
                settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scope, settings.oidc_allow,
                settings.oidc_groups, settings.oidc_redirect_url,
            ),
        )  # fmt: skip
        self._issuer = settings.oidc_issuer
        self._provider: tuple[Provider, float] | None = None
        self._keys: tuple[Any, float] | None = None

    @property
    def issuer(self) -> str:
        """The provider's address, for errors."""
        return self._issuer

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """The way there, the way back, and the way out."""
        return provider_routes(self, below, context)

    async def authorization_url(self, attempt: Attempt, redirect_url: str) -> str:
        """The page where people log in. Raises ProviderError."""
        return oidc.authorization_url(await self.provider(), self.client_id, redirect_url, self.scope, attempt)

    async def provider_logout_url(self, back_to: str) -> str | None:
        """Where the user logs out of the provider, too; None if it has no such page. Raises ProviderError."""
        return oidc.logout_url(await self.provider(), self.client_id, back_to)

    async def provider(self) -> Provider:
        """What the provider says of itself, at most an hour old. Raises ProviderError."""
        if self._provider is None or time.monotonic() - self._provider[1] > _FRESH_S:
            document = await self._json(Request("GET", oidc.discovery_url(self.issuer), {"Accept": "application/json"}))
            self._provider = oidc.read_provider(document, self.issuer), time.monotonic()
        return self._provider[0]

    async def identify(self, code: str, attempt: Attempt, redirect_url: str) -> tuple[dict[str, Any], Tokens | None]:
        """What the provider says of the user who came back with this code, and the user's tokens."""
        provider = await self.provider()
        request = oidc.token_request(provider, self.client_id, self._secret, redirect_url, code, attempt)
        status, answer = await self._fetch(request)
        document = json_or_none(answer)
        id_token, access_token = oidc.read_tokens(status, document, provider.token_endpoint)
        claims = await self._read_id_token(provider, id_token, attempt, access_token)
        also = {self._groups_claim.partition(".")[0]} if self.access.need_groups else set()
        if provider.userinfo_endpoint and access_token and oidc.needs_userinfo(claims, self.rules, also):
            claims = oidc.with_userinfo(claims, await self._json(oidc.userinfo_request(provider, access_token)))
        oidc.check_rules(claims, self.rules)
        return claims, None if access_token is None else oauth.tokens_of(document, time.time())

    async def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for these."""
        provider = await self.provider()
        request = oidc.refresh_request(provider, self.client_id, self._secret, tokens.refresh or "")
        status, answer = await self._fetch(request)
        hint = "Check --oidc-client-id and the client's secret."
        return oauth.read_tokens(status, json_or_none(answer), provider.token_endpoint, hint)

    async def _read_id_token(
        self, provider: Provider, text: str, attempt: Attempt, access_token: str | None
    ) -> dict[str, Any]:
        keys, looked_s = await self._published_keys(provider)
        try:
            return oidc.read_id_token(text, keys, provider, self.client_id, attempt, access_token=access_token)
        except ProviderError as error:
            # Providers change their keys; a stranger's token must not make us ask for them all the time.
            if error.where != "kid" or time.monotonic() - looked_s < _RETRY_KEYS_S:
                raise
            self._keys = None
            keys, _ = await self._published_keys(provider)
            return oidc.read_id_token(text, keys, provider, self.client_id, attempt, access_token=access_token)

    async def _published_keys(self, provider: Provider) -> tuple[Any, float]:
        if self._keys is None or time.monotonic() - self._keys[1] > _FRESH_S:
            keys = await self._json(Request("GET", provider.jwks_uri, {"Accept": "application/json"}))
            self._keys = keys, time.monotonic()
        return self._keys
