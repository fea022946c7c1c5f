"""Who sends a request to an ASGI application: the framework says it, or a policy that the program gives."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from app_server.asgi.scope import AsgiRequest
from app_server.errors import OperatorError
from app_server.http.auth_backend import AuthBackend
from app_server.http.base_handler import BaseHandler
from app_server.page import ASK_OPERATOR
from app_server.security.auth.next_page import login_address
from app_server.security.auth.users import identity

log = logging.getLogger(__name__)


class Policy(Protocol):
    """What decides who sends a request: an `AuthPolicy`, or the stock server's, which types requests otherwise."""

    @property
    def logout_url(self) -> str | None: ...

    async def authenticate(self, request: Any) -> Any: ...

    async def get_login_url_async(self, request: Any) -> str | None: ...


class AuthPolicy:
    """Lets a function of yours say who sends a request, for pages, scripts and sockets.

    `authenticator` gets the request (`headers`, `cookies`, `path`, `arguments`, and from ASGI `scope`, `user` and
    `state`), and returns the user, or None for no one. A plain function runs in a thread, so it may ask a database; an
    async one runs in the loop. Pages without a user are sent to `login_url`, which may be a function of the request;
    without one they are answered with 401. Applications find `logout_url` in their session_context.
    """

    def __init__(
        self,
        authenticator: Callable[[AsgiRequest], Any | Awaitable[Any]],
        *,
        login_url: str | Callable[[AsgiRequest], str | None] | None = None,
        logout_url: str | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._login_url = login_url
        self.logout_url = logout_url

    async def authenticate(self, request: AsgiRequest) -> Any:
        """The user who sends this request, None for no one."""
        return await _called(self._authenticator, request)

    async def get_login_url_async(self, request: AsgiRequest) -> str | None:
        """Where the sender of this request can log in."""
        found: str | None = await _called(self._login_url, request) if callable(self._login_url) else self._login_url
        return found


async def _called(function: Callable[[AsgiRequest], Any], request: AsgiRequest) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(request)
    found = await asyncio.to_thread(function, request)
    return await found if inspect.isawaitable(found) else found


class _Anyone:
    """Who sends a request that the framework lets through without a user."""

    def __repr__(self) -> str:
        return "anyone"


ANYONE: Final = _Anyone()


class PolicyUsers(AuthBackend):
    """Asks a policy who sends a request; without a user, requests are refused."""

    open = False

    def __init__(self, policy: Policy, logout_url: str | None = None) -> None:
        self._policy = policy
        self.logout_url = logout_url or policy.logout_url

    async def user(self, handler: BaseHandler) -> Any:
        """The user; None if the request was answered, because it has none."""
        request = _asgi(handler)
        user = await self._policy.authenticate(request)
        if user:
            request.set_user(user)
            return _identified(self, handler, user)
        login_url = await self._policy.get_login_url_async(request) if handler.shows_pages else None
        if login_url is not None and request.method in ("GET", "HEAD"):
            handler.forbid_caching()
            handler.redirect(login_address(login_url, request.uri or "/", request.full_url()))
        else:
            handler.refuse(401, "You are not logged in", self.advice(handler))
        return None

    def owner(self, user: Any) -> str | None:
        """A mark that identifies this user's sessions. OperatorError for an object that could be any user."""
        return _owner(user, "auth_policy")


class FrameworkUsers(AuthBackend):
    """Takes the user that middleware has put into the scope; whom that lets through may open a session."""

    open = False

    def __init__(self, logout_url: str | None = None) -> None:
        self.logout_url = logout_url

    async def user(self, handler: BaseHandler) -> Any:
        """The user in the scope, if that is one who has logged in; else what stands for anyone."""
        user = _asgi(handler).user
        if user is None or not getattr(user, "is_authenticated", True):
            return ANYONE
        return _identified(self, handler, user)

    def owner(self, user: Any) -> str | None:
        """A mark that identifies this user's sessions; None if anyone may have them."""
        return None if user is None or user is ANYONE else _owner(user, 'scope["user"]')

    def shown(self, user: Any) -> Any:
        """The user as applications see one; None for anyone."""
        return None if user is ANYONE else user


def _asgi(handler: BaseHandler) -> AsgiRequest:
    request = handler.request
    assert isinstance(request, AsgiRequest)
    return request


def _identified(backend: AuthBackend, handler: BaseHandler, user: Any) -> Any:
    """The user; None if the request was answered, because this could be any user."""
    try:
        backend.owner(user)
    except OperatorError as error:
        log.error("%s", error)
        handler.mark_logged()
        handler.refuse(500, "Something went wrong on the server", ASK_OPERATOR)
        return None
    return user


def _owner(user: Any, where: str) -> str:
    try:
        return identity(user)
    except OperatorError:
        try:
            named = user.identity  # Starlette's name for it
        except (AttributeError, NotImplementedError):
            named = None
        if isinstance(named, str) and named:
            return f"identity\n\n{named}"
        raise OperatorError(
            f"a user of type {type(user).__name__} could be any user",
            where=where,
            hint="Give users an id, a username or an email, or use a text.",
        ) from None
