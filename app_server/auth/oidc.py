"""Logging in with an OpenID Connect provider: the requests to it, and the pages that lead there and back."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from app_server.auth.cookie import CookieBackend
from app_server.auth.pages import LoginPages, LogoutHandler
from app_server.http.auth_backend import Routes
from app_server.http.base_handler import BaseHandler
from app_server.http.matching import RouteAddress
from app_server.page import logged_out_page
from app_server.protocol.paths import canonical_route
from app_server.security.auth import oidc
from app_server.security.auth.access import AccessRules
from app_server.security.auth.next_page import safe_next
from app_server.security.auth.oidc import Attempt, LoginRefused, Provider, ProviderError, Request
from app_server.security.auth.signed_cookie import LONGEST_SEALED, Seal
from app_server.security.auth.users import User
from app_server.settings import Settings

log = logging.getLogger(__name__)

_ANSWER_WITHIN_S = 10.0
_LARGEST_ANSWER_BYTES = 1024 * 1024
_FRESH_S = 3600.0  # for the provider's description and keys
_RETRY_KEYS_S = 60.0  # how often an unknown key may make us look again
_LOGIN_WITHIN_S = 900
_LONGEST_GROUPS = 1000  # characters, of what is kept if the claims do not fit
_MOST_ATTEMPTS = 8  # each is a cookie, and proxies take only so many bytes of them


class OidcBackend(CookieBackend):
    """Lets in the users of `--oidc-issuer`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        oidc.require_authlib()
        assert settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret and self.seal.secret
        self.issuer = settings.oidc_issuer
        self.client_id = settings.oidc_client_id
        self.rules = settings.oidc_allow
        self.scope = settings.oidc_scope
        self.access = AccessRules.read(settings.access, canonical_route)
        self._groups_claim = settings.oidc_groups
        self.state_seal = Seal("oidc state", self.seal.secret)
        self._secret = settings.oidc_client_secret
        self._redirect_url = settings.oidc_redirect_url
        self._provider: tuple[Provider, float] | None = None
        self._keys: tuple[Any, float] | None = None
        self._client: AsyncHTTPClient | None = None

    def state_cookie_name(self, state: str) -> str:
        """One cookie for each login under way, so two tabs do not disturb each other."""
        return f"{self.form_cookie_name}_{state[:8]}"

    async def user(self, handler: BaseHandler) -> Any:
        """The user of the cookie."""
        kept = self.remembered(handler)
        claims = kept.get("claims") if kept is not None and kept.get("client") == self.client_id else None
        # Rules that were made stricter since count at once.
        if kept is None or not isinstance(claims, dict) or (self.rules and kept.get("rules") != list(self.rules)):
            return None
        return oidc.user_from(claims, oidc.groups_in(kept, "groups") or oidc.groups_in(claims, self._groups_claim))

    def let_in(self, handler: BaseHandler, claims: dict[str, Any]) -> User:
        """Let the browser keep what the provider said of its user, as much of it as a cookie holds."""
        value = {"client": self.client_id, "rules": list(self.rules), "claims": oidc.kept_claims(claims)}
        if len(self.seal.seal(value, expires_at=2**33)) > LONGEST_SEALED:
            log.warning("The provider says too much of %r for a cookie; groups and such are left out", claims["sub"])
            value["claims"] = oidc.sure_claims(claims)
            value["groups"] = self._named_groups(claims)
        self.remember(handler, value)
        return oidc.user_from(value["claims"])  # type: ignore[arg-type]

    def _named_groups(self, claims: dict[str, Any]) -> list[str]:
        """The user's groups that rules name, as many of them as a cookie holds."""
        found: list[str] = []
        for name in oidc.groups_in(claims, self._groups_claim):
            if self.access.names_group(name) and sum(map(len, found)) + len(name) < _LONGEST_GROUPS:
                found.append(name)
        return found

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """The way there, the way back, and the way out."""
        context = {**context, "auth": self}
        return [
            (below("/login"), OidcLoginHandler, context),
            (below("/login/callback"), OidcCallbackHandler, context),
            (below("/logout"), OidcLogoutHandler, context),
        ]

    def redirect_url(self, handler: BaseHandler) -> str:
        """The public address of our callback."""
        return self._redirect_url or f"{handler.request.protocol}://{handler.request.host}{self.prefix}/login/callback"

    async def provider(self) -> Provider:
        """What the provider says of itself, at most an hour old. Raises ProviderError."""
        if self._provider is None or time.monotonic() - self._provider[1] > _FRESH_S:
            document = await self._json(Request("GET", oidc.discovery_url(self.issuer), {"Accept": "application/json"}))
            self._provider = oidc.read_provider(document, self.issuer), time.monotonic()
        return self._provider[0]

    async def claims(self, code: str, attempt: Attempt, redirect_url: str) -> dict[str, Any]:
        """What the provider says of the user who came back with this code. Raises ProviderError or LoginRefused."""
        provider = await self.provider()
        request = oidc.token_request(provider, self.client_id, self._secret, redirect_url, code, attempt)
        status, answer = await self._fetch(request)
        id_token, access_token = oidc.read_tokens(status, _json_or_none(answer), provider.token_endpoint)
        claims = await self._read_id_token(provider, id_token, attempt, access_token)
        also = {self._groups_claim.partition(".")[0]} if self.access.need_groups else set()
        if provider.userinfo_endpoint and access_token and oidc.needs_userinfo(claims, self.rules, also):
            claims = oidc.with_userinfo(claims, await self._json(oidc.userinfo_request(provider, access_token)))
        oidc.check_rules(claims, self.rules)
        return claims

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

    async def _json(self, request: Request) -> Any:
        status, answer = await self._fetch(request)
        document = _json_or_none(answer)
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


def _json_or_none(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class OidcPages(LoginPages):
    """What the pages for OpenID Connect share."""

    auth: OidcBackend

    def refuse_login(self, error: ProviderError | LoginRefused) -> None:
        """Answer that it did not work; the log says why."""
        if isinstance(error, ProviderError):
            self.mark_logged()
            log.error("No user can log in: the OpenID Connect provider is at fault. %s", error)
            hint = "Try again in a moment. If it keeps failing, ask the site's operator; details are in the server log."
            self.refuse(502, "The login service is not working", hint)
        else:
            self.log_refusal("Refused a login from %s: %s", self.request.remote_ip, error)
            self.refuse(403, "You may not log in here", "Log in as another user, or ask the site's operator.")


class OidcLoginHandler(OidcPages):
    """Leads to the provider's own page."""

    async def get(self, *captured: str) -> None:
        """A redirect to the provider; or the page that was wanted, if the user is logged in already."""
        auth = self.auth
        self.forbid_caching()
        if await auth.user(self):
            self.redirect(self.next_page())
            return
        try:
            provider = await auth.provider()
        except ProviderError as error:
            self.refuse_login(error)
            return
        self._forget_attempts()
        attempt = Attempt.of(secrets.token_urlsafe(24), auth.state_seal.tag)
        redirect_url = auth.redirect_url(self)
        value = {"state": attempt.state, "next": self.next_page(), "redirect_url": redirect_url}
        sealed = auth.state_seal.seal(value, expires_at=int(time.time()) + _LOGIN_WITHIN_S)
        auth.set_cookie(self, auth.state_cookie_name(attempt.state), sealed, _LOGIN_WITHIN_S)
        self.redirect(oidc.authorization_url(provider, auth.client_id, redirect_url, auth.scope, attempt))

    def _forget_attempts(self) -> None:
        """Drop the logins that were begun and not finished, if a page that reloads itself has begun many."""
        begun = [name for name in self.request.cookies if name.startswith(self.auth.state_cookie_name(""))]
        for name in begun if len(begun) >= _MOST_ATTEMPTS else []:
            self.clear_cookie(name, path=self.auth.cookie_path)


class OidcCallbackHandler(OidcPages):
    """Where the provider sends the browser back to."""

    async def get(self, *captured: str) -> None:
        """The page that was wanted, with a cookie that says who its user is."""
        auth = self.auth
        self.forbid_caching()
        self.set_header("Referrer-Policy", "no-referrer")  # the address holds a code
        state = self.get_argument("state", "")
        name = auth.state_cookie_name(state)
        begun = auth.state_seal.open(self.get_cookie(name) if state.isascii() else None, time.time())
        if begun is None or begun.get("state") != state:
            self.log_refusal("Refused a login from %s: it has expired, or did not begin here", self.request.remote_ip)
            again = "Open the application's page and log in again. Cookies must be allowed."
            self.refuse(403, "This login has expired, or did not begin here", again)
            return
        self.clear_cookie(name, path=auth.cookie_path)
        try:
            code = self._code()
            claims = await auth.claims(code, Attempt.of(state, auth.state_seal.tag), str(begun.get("redirect_url")))
        except (ProviderError, LoginRefused) as error:
            self.refuse_login(error)
            return
        user = auth.let_in(self, claims)
        log.info("%r logged in from %s", user.name, self.request.remote_ip)
        self.redirect(safe_next(str(begun.get("next")), auth.prefix), status=303)

    def _code(self) -> str:
        error = self.get_argument("error", None)
        if error is not None:
            about = self.get_argument("error_description", "")
            what = f"the provider said {error[:60]!r} {about[:200]!r}"
            if error in ("server_error", "temporarily_unavailable", "invalid_request", "unauthorized_client",
                         "unsupported_response_type", "invalid_scope"):  # fmt: skip
                raise ProviderError(what, where=self.auth.issuer)
            raise LoginRefused(what)
        code = self.get_argument("code", "")
        if not code:
            raise LoginRefused("the provider sent no code")
        return code


class OidcLogoutHandler(LogoutHandler):
    """Logs out here, and with the provider if it has a page for that."""

    auth: OidcBackend

    async def get(self, *captured: str) -> None:
        """Log out; or answer that it is done, if the provider has led back."""
        if "done" in self.request.query_arguments:
            self.show(logged_out_page(login_url=self.auth.login_url(self), icon=self.icon))
        else:
            await super().get(*captured)

    async def gone(self) -> None:
        """Lead to the provider, which leads back to the page that says that it is done."""
        auth = self.auth
        # The callback's address is the one that the outside knows; the way out lies beside it.
        callback = urlsplit(auth.redirect_url(self))
        path = callback.path.removesuffix("/login/callback") + "/logout"
        back_to = callback._replace(path=path, query="done=1").geturl()
        url = None
        try:
            url = oidc.logout_url(await auth.provider(), auth.client_id, back_to)
        except ProviderError as error:
            log.error("Logged out here, but not with the OpenID Connect provider. %s", error)
        if url is None:
            self.show(logged_out_page(login_url=auth.login_url(self), icon=self.icon))
        else:
            self.forbid_caching()
            self.redirect(url)
