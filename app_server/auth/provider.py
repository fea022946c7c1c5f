"""What the backends have in common whose users log in at a provider: the way there and back, and the login's cookie."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from app_server.auth.access_tokens import TokenCookies, TokenKeeper
from app_server.auth.cookie import CookieBackend
from app_server.auth.shared_tokens import tokens_of_this_run
from app_server.http.base_handler import BaseHandler
from app_server.protocol.paths import canonical_route
from app_server.security.auth import oidc
from app_server.security.auth.access import AccessRules
from app_server.security.auth.oauth import Tokens
from app_server.security.auth.oidc import Attempt, ProviderError, Request
from app_server.security.auth.secret_box import SecretBox
from app_server.security.auth.signed_cookie import LONGEST_SEALED, Seal
from app_server.security.auth.users import User, identity
from app_server.settings import Settings

log = logging.getLogger(__name__)

_ANSWER_WITHIN_S = 10.0
_LARGEST_ANSWER_BYTES = 1024 * 1024
_LONGEST_GROUPS = 1000  # characters, of what is kept if the claims do not fit


@dataclass(frozen=True)
class Registration:
    """What the settings say of this server's registration at a provider."""

    client_id: str
    secret: str = field(repr=False)
    scope: str
    rules: tuple[str, ...]
    groups_claim: str
    redirect_url: str | None


class ProviderBackend(CookieBackend):
    """Lets in the users of a provider, whose claims a signed cookie keeps."""

    kind: ClassVar[str]
    """What the provider is called in the log."""
    way: ClassVar[str]
    """What `User.way` is."""

    def __init__(self, settings: Settings, registration: Registration) -> None:
        super().__init__(settings)
        self.client_id = registration.client_id
        self.rules = registration.rules
        self.scope = registration.scope
        self.access = AccessRules.read(settings.access, canonical_route)
        self.state_seal = Seal(f"{self.way} state", self.seal.secret)
        self._secret = registration.secret
        self._groups_claim = registration.groups_claim
        self._redirect_url = registration.redirect_url
        self._client: AsyncHTTPClient | None = None
        self._box = SecretBox("access tokens", self.seal.secret)
        self._tokens: TokenKeeper | None = None
        self._cookies = TokenCookies(self, self._box)
        if settings.access_tokens:
            self._box.require()
            self._tokens = TokenKeeper(self._box, tokens_of_this_run(), self.renew)
        self.hidden_cookies |= frozenset(self._cookies.names)

    @property
    @abstractmethod
    def issuer(self) -> str:
        """The provider's address, for errors."""

    @abstractmethod
    async def authorization_url(self, attempt: Attempt, redirect_url: str) -> str:
        """The page where people log in. Raises ProviderError."""

    @abstractmethod
    async def identify(self, code: str, attempt: Attempt, redirect_url: str) -> tuple[dict[str, Any], Tokens | None]:
        """What the provider says of the user who came back with this code, and the user's tokens.

        Raises ProviderError or LoginRefused.
        """

    @abstractmethod
    async def renew(self, tokens: Tokens) -> Tokens:
        """New tokens for these, which have a refresh token. Raises ProviderError or LoginRefused."""

    async def provider_logout_url(self, back_to: str) -> str | None:
        """Where the user logs out of the provider, too; None if it has no such page. Raises ProviderError."""
        return None

    def state_cookie_name(self, state: str) -> str:
        """One cookie for each login under way, so two tabs do not disturb each other."""
        return f"{self.form_cookie_name}_{state[:8]}"

    async def user(self, handler: BaseHandler) -> Any:
        """The user of the cookie; no one if an access token should be there, and there is none that is valid."""
        kept = self.remembered(handler)
        claims = kept.get("claims") if kept is not None and kept.get("client") == self.client_id else None
        # Rules that were made stricter since count at once.
        if kept is None or not isinstance(claims, dict) or (self.rules and kept.get("rules") != list(self.rules)):
            return None
        groups = oidc.groups_in(kept, "groups") or oidc.groups_in(claims, self._groups_claim)
        user = oidc.user_from(claims, groups, self.way)
        if self._tokens is None or not kept.get("tokens"):
            return user
        return user if await self._has_token(self._tokens, handler, identity(user)) else None

    async def _has_token(self, keeper: TokenKeeper, handler: BaseHandler, owner: str) -> bool:
        """Whether the user's access token is valid, perhaps since it was renewed now, as far as that is needed."""
        sent = self._cookies.read(handler, owner)
        if sent is not None:
            keeper.learn(owner, sent)
        tokens = keeper.newest(owner)
        if not handler.renews_login:
            return True
        if tokens is not None and tokens.due(time.time()):
            await keeper.renew_if_due(owner)
            tokens = keeper.newest(owner)
        if tokens is not None and tokens != sent:
            self._cookies.write(handler, owner, tokens)
        return tokens is not None and tokens.valid(time.time())

    def access_token(self, user: Any) -> str | None:
        """A valid access token of this user; None if there is none."""
        return self._tokens.access_token(identity(user)) if self._tokens is not None and user else None

    def logged_out(self, owner: str) -> None:
        """Forget the user's tokens."""
        if self._tokens is not None:
            self._tokens.forget(owner)

    def forget(self, handler: BaseHandler) -> None:
        """Have the browser forget its user."""
        super().forget(handler)
        self._cookies.clear(handler)

    def work(self, here: Callable[[], Collection[str]]) -> list[Coroutine[Any, Any, None]]:
        """Renew the tokens of users whose sessions are here."""
        return [] if self._tokens is None else [self._tokens.work(here)]

    def let_in(self, handler: BaseHandler, claims: dict[str, Any], tokens: Tokens | None = None) -> User:
        """Let the browser keep what the provider said of its user, as much of it as a cookie holds."""
        kept = oidc.kept_claims(claims)
        value: dict[str, Any] = {"client": self.client_id, "rules": list(self.rules), "claims": kept}
        if self._tokens is not None and tokens is not None:
            owner = identity(oidc.user_from(claims, way=self.way))
            value["tokens"] = self._cookies.write(handler, owner, tokens)
            if value["tokens"]:
                self._tokens.publish(owner, tokens)
        if len(self.seal.seal(value, expires_at=2**33)) > LONGEST_SEALED:
            log.warning("The provider says too much of %r for a cookie; groups and such are left out", claims["sub"])
            value["claims"] = oidc.sure_claims(claims)
            value["groups"] = self._named_groups(claims)
        self.remember(handler, value)
        return oidc.user_from(value["claims"], way=self.way)

    def _named_groups(self, claims: dict[str, Any]) -> list[str]:
        """The user's groups that rules name, as many of them as a cookie holds."""
        found: list[str] = []
        for name in oidc.groups_in(claims, self._groups_claim):
            if self.access.names_group(name) and sum(map(len, found)) + len(name) < _LONGEST_GROUPS:
                found.append(name)
        return found

    def redirect_url(self, handler: BaseHandler) -> str:
        """The public address of our callback."""
        if self._redirect_url:
            return self._redirect_url
        request = handler.request
        found = f"{request.protocol}://{request.host}{self.prefix}/login/callback"
        if request.protocol == "http" and request.headers.get("X-Forwarded-Proto") == "https":
            self.report_ignored_proxy(handler, "X-Forwarded-Proto", f"the provider is to lead people back to {found}")
        return found

    async def _json(self, request: Request) -> Any:
        status, answer = await self._fetch(request)
        document = json_or_none(answer)
        if status != 200 or document is None:
            raise ProviderError(f"it answered {status}" + (" and no JSON" if status == 200 else ""), where=request.url)
        return document

    async def _fetch(self, request: Request) -> tuple[int, bytes]:
        """The status and body of the provider's answer. Raises ProviderError where there is none."""
        if self._client is None:
            self._client = SimpleAsyncHTTPClient(force_instance=True, max_body_size=_LARGEST_ANSWER_BYTES)
        sent = HTTPRequest(
            request.url,
            method=request.method,
            headers=dict(request.headers),
            body=request.body,
            follow_redirects=False,
            connect_timeout=_ANSWER_WITHIN_S,
            request_timeout=_ANSWER_WITHIN_S,
        )
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S + 1):
                response = await self._client.fetch(sent, raise_error=False)
        except (TimeoutError, HTTPError, OSError, ValueError) as error:
            raise ProviderError(f"it cannot be reached: {error or type(error).__name__}", where=request.url) from None
        if response.code == 599:
            raise ProviderError(f"it cannot be reached: {response.error}", where=request.url)
        return response.code, response.body or b""

    def stop(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            self._client.close()


def json_or_none(text: bytes) -> Any:
    """What the JSON says; None for anything else."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
