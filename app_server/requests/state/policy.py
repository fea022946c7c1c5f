"""What a server allows, and how it signs tokens; fixed before the first request."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from secrets import token_bytes
from typing import Any

from tornado.httputil import HTTPServerRequest

from app_server.errors import ApplicationError
from app_server.http.auth_backend import AuthBackend
from app_server.protocol.paths import canonical_route
from app_server.security import tokens
from app_server.security.auth.access import AccessRules
from app_server.security.hostnames import bracketed
from app_server.security.origins import OriginPolicy
from app_server.security.tokens import Signer, Token
from app_server.security.visible_request import RequestFilter, VisibleRequest
from app_server.settings import SIGNED_IDS, Settings
from app_server.websocket.owner import WireLimits

log = logging.getLogger(__name__)

_QUEUE_BYTES = 64 * 1024 * 1024
"""How much may wait for one client. A page that is asleep wakes within seconds; more than this is never read."""


Authorize = Callable[[Any, str], Awaitable[bool]]


@dataclass(frozen=True)
class Policy:
    """The settings, and what follows from them: who may log in, which pages may connect, how tokens are signed."""

    settings: Settings
    auth: AuthBackend
    signer: Signer
    origins: OriginPolicy
    wire_limits: WireLimits
    request_filter: RequestFilter
    access: AccessRules = AccessRules()
    authorize: Authorize | None = None
    """The hook of `--authorize`."""
    restricted: bool = False
    """Whether there may be users who are logged in and may not open an application."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        auth: AuthBackend,
        port: int,
        authorize: Authorize | None = None,
        *,
        same_host: bool = False,
    ) -> Policy:
        """The policy of a server that listens on this port; with `same_host`, of one that another program listens for.

        Which pages are its own is seen then by the address that each request is for, unless the settings say it.
        """
        return cls(
            settings=settings,
            auth=auth,
            signer=_signer(settings),
            origins=_origins(settings, port, same_host=same_host),
            wire_limits=WireLimits(settings.websocket_max_message_size_bytes, _QUEUE_BYTES),
            request_filter=RequestFilter(
                include_headers=settings.include_headers,
                exclude_headers=settings.exclude_headers,
                include_cookies=settings.include_cookies,
                exclude_cookies=settings.exclude_cookies,
                hidden_headers=auth.hidden_headers,
                hidden_cookies=auth.hidden_cookies,
            ),
            access=AccessRules.read(settings.access, canonical_route),
            authorize=authorize,
            restricted=bool(settings.access) or auth.authorizes or authorize is not None,
        )

    async def may_open(self, user: Any, route: str) -> bool:
        """Whether this user may open the application at this route: by the rules, and by the hooks."""
        if not self.access.allow(user, route) or not await self.auth.may_open(user, route):
            return False
        return self.authorize is None or await self.authorize(user, route)

    def restricts(self, route: str) -> bool:
        """Whether there may be users who are logged in and may not open the application at this route."""
        return bool(self.access.of(route)) or self.auth.authorizes or self.authorize is not None

    def mint_session_id(self) -> str:
        """A new session id, signed if the settings ask for it."""
        return tokens.mint_session_id(self.signer)

    def now_s(self) -> int:
        """Seconds since the epoch, for the expiry of tokens."""
        return int(time.time())

    def token_expiry_s(self) -> int:
        """Until when a token that is minted now can build its session, in seconds since the epoch."""
        return self.now_s() + self.settings.session_token_expiration_s

    def mint_token(
        self,
        session_id: str,
        expires_at: int,
        payload: Mapping[str, Any],
        user: Any,
        arguments: Mapping[str, list[bytes]] | None = None,
    ) -> str:
        """A token for the socket of this user's session, good for building it until it expires.

        The payload travels in it if another instance may have to build the session. Otherwise only these `arguments`
        do: those that the socket's own request will not repeat.
        """
        owner = self.owner_mark(user)
        mint = partial(tokens.mint_token, self.signer, session_id, expires_at=expires_at, owner=owner)
        if not self._small_tokens:
            return mint(payload={name: value for name, value in payload.items() if name != "session_expiry"})
        if not arguments or self.settings.token_payload == "never":
            return mint()
        try:
            return mint(payload={"arguments": dict(arguments)})
        except ApplicationError:  # they are as long as an address may be
            log.debug("The arguments of a page are too long for its token")
            return mint()

    @property
    def _small_tokens(self) -> bool:
        return self.settings.token_payload == "never" or (
            self.settings.token_payload == "auto" and self.settings.route is None
        )

    def read_token(self, text: str) -> Token:
        """What a token says; PeerError if it is malformed or forged."""
        return tokens.read_token(self.signer, text)

    def owner_mark(self, user: Any) -> str | None:
        """The mark of this user in a token; None if anyone may have the user's sessions."""
        owner = self.auth.owner(user)
        return None if owner is None else tokens.owner_mark(self.signer, owner)

    def is_owner_mark(self, user: Any, mark: str) -> bool:
        """Whether this mark, found in a token, is that of this user."""
        return tokens.is_owner_mark(self.signer, self.auth.owner(user) or "", mark)

    def visible_request(self, request: HTTPServerRequest) -> VisibleRequest:
        """What of a request the applications may see."""
        return VisibleRequest.from_request(request, self.request_filter)

    def routed(self, path: str) -> str:
        """This path with the instance's route in front, if it has one: sockets then come back to this instance."""
        return f"/_i/{self.settings.route}{path}" if self.settings.route else path

    def socket_path(self, route: str) -> str | None:
        """The path below which the page opens its socket; None if that is the page's own."""
        return self.routed(self.settings.prefix + route.rstrip("/")) if self.settings.route else None


def _origins(settings: Settings, port: int, *, same_host: bool) -> OriginPolicy:
    if same_host and not settings.allow_websocket_origin:
        return OriginPolicy(same_host=True)
    return OriginPolicy.from_hosts(allowed_hosts(settings, port))


def allowed_hosts(settings: Settings, port: int) -> tuple[str, ...]:
    """The hosts whose pages may connect: those that the settings name, or by default our own."""
    if settings.allow_websocket_origin:
        return tuple(settings.allow_websocket_origin)
    # A proxy in front of a Unix socket is the one that knows the public name.
    return ("*",) if settings.unix_socket else own_hosts(settings.address, port)


def own_hosts(address: str | None, port: int) -> tuple[str, ...]:
    """The origins under which a browser on this machine reaches the server itself."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if address and address not in ("0.0.0.0", "::", "localhost", "127.0.0.1", "::1"):
        names.append(bracketed(address))
    return tuple(f"{name}:{port}" for name in names)


def _signer(settings: Settings) -> Signer:
    secret, previous = [*(settings.secret_key or "").encode("utf-8").splitlines(), None, None][:2]
    return Signer(
        secret, signed=settings.session_ids in SIGNED_IDS, previous=previous, seal=secret or key_of_this_run()
    )


@cache
def key_of_this_run() -> bytes:
    """A key that a server's processes have in common: the one from which they are forked has to ask for it first."""
    return token_bytes(32)
