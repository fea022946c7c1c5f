"""The pages that lead to a provider, and back from there."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from app_server.auth.pages import LoginPages, LogoutHandler
from app_server.auth.provider import ProviderBackend
from app_server.http.auth_backend import Routes
from app_server.http.matching import RouteAddress
from app_server.page import logged_out_page
from app_server.security.auth.next_page import safe_next
from app_server.security.auth.oidc import Attempt, LoginRefused, ProviderError

log = logging.getLogger(__name__)

_LOGIN_WITHIN_S = 900
_MOST_ATTEMPTS = 8  # each is a cookie, and proxies take only so many bytes of them


class ProviderPages(LoginPages):
    """What the pages share."""

    auth: ProviderBackend

    def refuse_login(self, error: ProviderError | LoginRefused) -> None:
        """Answer that it did not work; the log says why."""
        if isinstance(error, ProviderError):
            self.mark_logged()
            log.error("No user can log in: the %s is at fault. %s", self.auth.kind, error)
            hint = "Try again in a moment. If it keeps failing, ask the site's operator; details are in the server log."
            self.refuse(502, "The login service is not working", hint)
        else:
            self.log_refusal("Refused a login from %s: %s", self.request.remote_ip, error)
            self.refuse(403, "You may not log in here", "Log in as another user, or ask the site's operator.")


class LoginHandler(ProviderPages):
    """Leads to the provider's own page."""

    async def get(self, *captured: str) -> None:
        """A redirect to the provider; or the page that was wanted, if the user is logged in already."""
        auth = self.auth
        self.forbid_caching()
        if await auth.user(self):
            self.redirect(self.next_page())
            return
        attempt = Attempt.of(secrets.token_urlsafe(24), auth.state_seal.tag)
        redirect_url = auth.redirect_url(self)
        try:
            url = await auth.authorization_url(attempt, redirect_url)
        except ProviderError as error:
            self.refuse_login(error)
            return
        self._forget_attempts()
        value = {"state": attempt.state, "next": self.next_page(), "redirect_url": redirect_url}
        sealed = auth.state_seal.seal(value, expires_at=int(time.time()) + _LOGIN_WITHIN_S)
        auth.set_cookie(self, auth.state_cookie_name(attempt.state), sealed, _LOGIN_WITHIN_S)
        self.redirect(url)

    def _forget_attempts(self) -> None:
        """Drop the logins that were begun and not finished, if a page that reloads itself has begun many."""
        begun = [name for name in self.request.cookies if name.startswith(self.auth.state_cookie_name(""))]
        for name in begun if len(begun) >= _MOST_ATTEMPTS else []:
            self.clear_cookie(name, path=self.auth.cookie_path)


class CallbackHandler(ProviderPages):
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
            attempt = Attempt.of(state, auth.state_seal.tag)
            claims, tokens = await auth.identify(code, attempt, str(begun.get("redirect_url")))
        except (ProviderError, LoginRefused) as error:
            self.refuse_login(error)
            return
        user = auth.let_in(self, claims, tokens)
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


class ProviderLogoutHandler(LogoutHandler):
    """Logs out here, and with the provider if it has a page for that."""

    auth: ProviderBackend

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
            url = await auth.provider_logout_url(back_to)
        except ProviderError as error:
            log.error("Logged out here, but not with the %s. %s", auth.kind, error)
        if url is None:
            self.show(logged_out_page(login_url=auth.login_url(self), icon=self.icon))
        else:
            self.forbid_caching()
            self.redirect(url)


def provider_routes(auth: ProviderBackend, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
    """The way to the provider, the way back, and the way out."""
    context = {**context, "auth": auth}
    return [
        (below("/login"), LoginHandler, context),
        (below("/login/callback"), CallbackHandler, context),
        (below("/logout"), ProviderLogoutHandler, context),
    ]
