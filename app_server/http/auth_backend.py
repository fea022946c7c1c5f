"""Authentication of pages and sockets: who sends a request, and what happens if the user is unknown."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from app_server import system
from app_server.http.base_handler import BaseHandler
from app_server.http.matching import RouteAddress
from app_server.security.auth.next_page import login_address
from app_server.security.auth.users import identity

Routes = list[tuple[Any, ...]]


class AuthBackend:
    """Accepts everyone; backends that authenticate derive from it.

    `hidden_headers` and `hidden_cookies` name credentials: applications do not see them.
    """

    open = True
    authorizes = False
    """Whether `may_open` says more than that everyone may."""
    logout_url: str | None = None
    hidden_headers: frozenset[str] = frozenset()
    hidden_cookies: frozenset[str] = frozenset()

    async def user(self, handler: BaseHandler) -> Any:
        """The user who sends this request; a false value means no one. May answer the request itself."""
        return "default_user"

    async def may_open(self, user: Any, route: str) -> bool:
        """Whether this user may open the application at this route, besides the rules of `--access`."""
        return True

    def login_url(self, handler: BaseHandler) -> str | None:
        """Where the sender of this request can log in; None if pages do not redirect there."""
        return None

    def deny(self, handler: BaseHandler) -> None:
        """Answer a user who is not logged in: redirect pages to the login, and refuse everything else with 403."""
        login_url = self.login_url(handler) if handler.shows_pages else None
        request = handler.request
        if login_url is None or request.method not in ("GET", "HEAD"):
            handler.refuse(403, "You are not logged in", self.advice(handler))
            return
        handler.forbid_caching()
        handler.redirect(login_address(login_url, request.uri or "/", request.full_url()))

    def advice(self, handler: BaseHandler) -> str | None:
        """What a user who is not logged in can do."""
        return "Open the application's page and log in there."

    def shown(self, user: Any) -> Any:
        """The user as applications see one; None if anyone may have the sessions."""
        return None if self.open else user

    def owner(self, user: Any) -> str | None:
        """A mark that identifies this user's sessions; None if anyone may have them."""
        return None if self.open else identity(user)

    def access_token(self, user: Any) -> str | None:
        """A valid access token of this user for the provider; None if there is none."""
        return None

    def logged_out(self, owner: str) -> None:
        """Forget what is kept of a user who has logged out, besides sessions."""

    def work(self, here: Callable[[], Collection[str]]) -> list[Coroutine[Any, Any, None]]:
        """What has to go on in the background; `here` returns the owners of the sessions of this process."""
        return []

    def routes(self, below: Callable[[str], RouteAddress], context: Mapping[str, Any]) -> Routes:
        """Tornado's routes for logging in and out.

        `below` is where a path is below the prefix, `context` what the site's handlers are made with.
        """
        return []

    def stop(self) -> None:
        """Release threads and connections."""


def peer_of(handler: BaseHandler) -> str:
    """The address of the connection's other end, or "unix"; never what a header claims."""
    context: Any = getattr(handler.request.connection, "context", None)
    family = getattr(context, "address_family", None)
    if family in (socket.AF_INET, socket.AF_INET6):
        return str(context.address[0])
    return "unix" if family == system.UNIX_FAMILY else ""
