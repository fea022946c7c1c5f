"""The authentication backend that the settings ask for, and the two that keep nothing in the browser."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tornado.web import Finish, HTTPError, RequestHandler

from app_server.auth.authorizing import Authorizer, run_module
from app_server.engine.containment import is_fault
from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend, Routes, peer_of
from app_server.http.base_handler import BaseHandler, Enduring
from app_server.http.matching import RouteAddress
from app_server.page import ASK_OPERATOR
from app_server.protocol.paths import canonical_route
from app_server.requests.logging_out import end_sessions
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.hooks import AuthHooks, below, hooks_from
from app_server.security.auth.peers import TrustedPeers, groups_named, user_named
from app_server.security.auth.users import User
from app_server.settings import Settings

log = logging.getLogger(__name__)

_MOST_REPORTED = 1000


def backend_for(settings: Settings) -> AuthBackend:
    """The backend that the settings describe. OperatorError if a file that it needs is missing or malformed."""
    if settings.auth_module:
        return HookBackend(load_hooks(settings.auth_module), settings.prefix)
    if settings.basic_auth:
        from app_server.auth.password import PasswordBackend

        return PasswordBackend(settings)
    if settings.auth_header:
        trusted = TrustedPeers.from_words(settings.auth_header_from)
        return HeaderBackend(settings.auth_header, trusted, settings.auth_header_groups)
    if settings.oidc_issuer:
        from app_server.auth.oidc import OidcBackend

        return OidcBackend(settings)
    if settings.oauth_provider:
        from app_server.auth.oauth import OAuthBackend

        return OAuthBackend(settings)
    return AuthBackend()


def load_hooks(path: str) -> AuthHooks:
    """The hooks of this file, which is run. OperatorError names the line where it fails or does not fit."""
    namespace, source = run_module(path, "--auth-module")
    return hooks_from(namespace, path=path, source=source, handler_class=RequestHandler)


def enduring(handler: type[RequestHandler]) -> type[RequestHandler]:
    """A handler of the authentication module, answered with an error whatever it raises."""
    return type(handler.__name__, (Enduring, handler), {})


def logging_out(handler: type[RequestHandler], hooks: AuthHooks, state: ServerState) -> type[RequestHandler]:
    """The module's LogoutHandler; once it has answered, its user's sessions end."""

    async def prepare(self: Any) -> None:
        self._leaving = await _user_of(hooks, self)
        prepared = handler.prepare(self)
        if inspect.isawaitable(prepared):
            await prepared

    def on_finish(self: Any) -> None:
        handler.on_finish(self)
        if self.get_status() < 400:
            end_sessions(state, self._leaving)

    more = {"prepare": prepare, "on_finish": on_finish, "_leaving": None}
    return type(handler.__name__, (Enduring, handler), more)


async def _user_of(hooks: AuthHooks, handler: RequestHandler) -> Any:
    """Who is about to log out; None if the hook fails."""
    try:
        user = hooks.get_user(handler)
        return await user if inspect.isawaitable(user) else user
    except BaseException as error:
        if not is_fault(error):
            raise
        log.exception("--auth-module: get_user raised an exception")
        return None


class HookBackend(AuthBackend):
    """Asks the hooks of `--auth-module`."""

    open = False

    def __init__(self, hooks: AuthHooks, prefix: str) -> None:
        self._hooks = hooks
        self._prefix = prefix
        self.logout_url = below(prefix, hooks.logout_url) if hooks.logout_url else None
        self._authorizer = Authorizer(hooks.authorize, "--auth-module") if hooks.authorize is not None else None
        self.authorizes = self._authorizer is not None

    async def user(self, handler: BaseHandler) -> Any:
        """What get_user or get_user_async returns, once it is known that it can be distinguished from other users."""
        try:
            user = self._hooks.get_user(handler)
            if inspect.isawaitable(user):
                user = await user
            if user:
                self.owner(user)
            return user
        except (HTTPError, Finish):
            raise
        except BaseException as error:
            if not is_fault(error):
                raise
            # Not left to Tornado, whose report shows the query, and with it tokens.
            if isinstance(error, OperatorError):
                log.error("%s", error)
            else:
                log.exception("--auth-module: get_user raised an exception")
            handler.mark_logged()
            handler.refuse(500, "Something went wrong on the server", ASK_OPERATOR)
            return None

    async def may_open(self, user: Any, route: str) -> bool:
        """What the module's hook returns, if it has one."""
        return self._authorizer is None or await self._authorizer(user, route)

    def login_url(self, handler: BaseHandler) -> str | None:
        """The module's login_url below the prefix, or what its get_login_url says."""
        if self._hooks.get_login_url is not None:
            try:
                return self._hooks.get_login_url(handler)
            except (HTTPError, Finish):
                raise
            except BaseException as error:
                if not is_fault(error):
                    raise
                log.exception("--auth-module: get_login_url raised an exception")
                raise HTTPError(500) from None
        return below(self._prefix, self._hooks.login_url or "")

    def routes(self, below_prefix: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """Where the module's own handlers answer."""
        hooks = self._hooks
        login = enduring(hooks.login_handler) if hooks.login_handler else None
        logout = logging_out(hooks.logout_handler, hooks, context["state"]) if hooks.logout_handler else None
        return [
            (below_prefix(canonical_route(urlsplit(url).path)), handler)
            for url, handler in ((hooks.login_url, login), (hooks.logout_url, logout))
            if url and handler
        ]


class HeaderBackend(AuthBackend):
    """Trusts a proxy to name the user."""

    open = False

    def __init__(self, header: str, trusted: TrustedPeers, groups: str | None = None) -> None:
        self._header = header
        self._trusted = trusted
        self._groups = groups
        self._reported: set[str] = set()

    async def user(self, handler: BaseHandler) -> Any:
        """The user whom the header names, if it comes from a trusted peer."""
        values = handler.request.headers.get_list(self._header)
        peer = peer_of(handler)
        if not self._trusted.trusts(peer):
            if values:
                self._report(peer, "is not in --auth-header-from, so it was ignored")
            return None
        name = user_named(values)
        if name is None:
            if values:
                self._report(peer, "did not hold one name, so it was ignored")
            return None
        groups = [] if self._groups is None else handler.request.headers.get_list(self._groups)
        return User(name, "header", groups=groups_named(groups))

    def advice(self, handler: BaseHandler) -> str | None:
        """What to do depends on whether the request came by the proxy."""
        if self._trusted.trusts(peer_of(handler)):
            return "The proxy in front of this server has named no user. Log in there, and load the page again."
        return "This address is not meant for browsers. Open the page at its public address, and log in there."

    def _report(self, peer: str, what: str) -> None:
        """Say this once for each peer."""
        if (peer + what) not in self._reported and len(self._reported) < _MOST_REPORTED:
            self._reported.add(peer + what)
            log.warning("The header %s from %s %s", self._header, peer, what)
