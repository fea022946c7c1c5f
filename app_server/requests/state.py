"""What the handlers know of the site that they answer for: its settings, keys, rules, applications and pages."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from pathlib import Path
from secrets import token_bytes
from typing import Any
from weakref import WeakSet

from tornado.httputil import HTTPServerRequest

from app_server.apps import Application
from app_server.document.pages import embedding
from app_server.engine.runtime import ApplicationRuntime, Lifetimes
from app_server.errors import ApplicationError, OperatorError, in_one_line
from app_server.http.auth_backend import AuthBackend
from app_server.http.index_template import own_index
from app_server.http.static import version_of
from app_server.observe.child_metrics import ChildMetrics
from app_server.observe.gauges import Gauges
from app_server.page import ASK_OPERATOR, IndexEntry, error_page, favicon, index_page
from app_server.processes.session_processes import SessionProcesses
from app_server.processes.worker_group import WorkerGroup
from app_server.protocol.paths import unescaped
from app_server.security import tokens
from app_server.security.admission import Admission
from app_server.security.hostnames import bracketed
from app_server.security.origins import OriginPolicy
from app_server.security.tokens import Signer, Token
from app_server.security.visible_request import RequestFilter, VisibleRequest
from app_server.session.inheritance import Inheritance
from app_server.session.session import MessageLimits
from app_server.settings import SIGNED_IDS, Settings
from app_server.websocket.owner import WireLimits
from app_server.websocket.wire import Wire

log = logging.getLogger(__name__)

_QUEUE_BYTES = 64 * 1024 * 1024
"""How much may wait for one client. A page that is asleep wakes within seconds; more than this is never taken."""

_LONGEST_ORIGIN = 200
"""How many characters of an Origin are kept and logged: browsers send fewer, and others up to 64 KB."""


class ServerState:
    """The applications of one server, and the rules by which their pages and sockets are given out."""

    def __init__(
        self,
        applications: Mapping[str, Application],
        settings: Settings,
        auth: AuthBackend,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.settings = settings
        self.auth = auth
        self.draining = False
        self.workers: WorkerGroup | None = None
        self.session_processes: SessionProcesses | None = None
        self.only_session: str | None = None
        """The session that this process is there for, where it is there for one alone."""
        self.inherited = Inheritance()
        self.under_way: WeakSet[Any] = WeakSet()
        """The handlers of requests; those that are not finished are under way."""
        self.gauges = Gauges()
        self.child_metrics = ChildMetrics()
        self.started_s = time.time()
        self.admission = Admission(settings.max_sessions, settings.max_sessions_per_address)
        self.wires: set[Wire] = set()
        self.signer = _signer(settings)
        self.wire_limits = WireLimits(settings.websocket_max_message_size_bytes, _QUEUE_BYTES)
        self.bundles = embedding.Bundles(lambda path: version_of(embedding.static_root() / path))
        self.root_url = f"{settings.prefix}/"
        self.page_head = ""
        self.look_for_changes: Callable[[], Awaitable[None]] = _nothing_changes
        """Awaited before a session is opened: in development, files may have been saved a moment ago."""
        self.favicon = _favicon(settings)
        self.origins = OriginPolicy.from_hosts(("*",))
        self._refused_origins: set[str] = set()
        self._small_tokens = settings.token_payload == "never" or (
            settings.token_payload == "auto" and settings.route is None
        )
        self._filter = RequestFilter(
            include_headers=settings.include_headers,
            exclude_headers=settings.exclude_headers,
            include_cookies=settings.include_cookies,
            exclude_cookies=settings.exclude_cookies,
            hidden_headers=auth.hidden_headers,
            hidden_cookies=auth.hidden_cookies,
        )
        limits = MessageLimits(settings.websocket_max_message_size_bytes, show_tracebacks=settings.dev)
        lifetimes = Lifetimes(settings.unused_session_lifetime_ms / 1000, settings.check_unused_sessions_ms / 1000)
        self.runtimes = [
            ApplicationRuntime(
                application, route, limits, lifetimes, loop, self.gauges.application(route), self.admission
            )
            for route, application in applications.items()
        ]
        urls = [runtime.url for runtime in self.runtimes]
        self._own_index = own_index(settings.index, urls, settings.prefix) if settings.index else None
        for runtime in self.runtimes:
            runtime.logout_url = auth.logout_url

    @property
    def session_count(self) -> int:
        """How many sessions live here, or in processes of their own that this one hands connections to."""
        apart = (
            0
            if self.session_processes is None or self.workers is None or self.workers.superseded
            else len(self.session_processes)
        )
        return apart + sum(len(runtime.registry) for runtime in self.runtimes)

    def knows(self, session_id: str) -> bool:
        """Whether this session lives here, or is about to."""
        return any(
            runtime.registry.get(session_id) is not None or runtime.registry.building(session_id) is not None
            for runtime in self.runtimes
        )

    def mint_session_id(self) -> str:
        """A new session id, one that belongs to this process where there are several."""
        if self.only_session is not None:
            return self.only_session
        mint = partial(tokens.mint_session_id, self.signer)
        return mint() if self.workers is None else self.workers.mint(mint)

    def may_build(self, token: Token) -> bool:
        """Whether this token may build its session: a fresh one, or that of a session which moves here."""
        if token.session_id == self.only_session:
            return True  # the process that had this one started has looked
        return not token.expired(self.now_s()) or token.session_id in self.inherited

    @property
    def has_room(self) -> bool:
        """Whether new sessions are taken in this process."""
        superseded = self.workers is not None and self.workers.superseded
        return not (self.draining or superseded or self.admission.full)

    def know_address(self, port: int) -> None:
        """Let in the pages that the settings name, or our own where they name none."""
        allowed = self.settings.allow_websocket_origin
        if not allowed:
            # A proxy in front of a Unix socket is the one that knows the public name.
            allowed = ("*",) if self.settings.unix_socket else own_hosts(self.settings.address, port)
        self.origins = OriginPolicy.from_hosts(allowed)

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
        owner = None if self.auth.open else self.owner_mark(user)
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

    def owner_mark(self, user: Any) -> str:
        """What stands for this user in a token."""
        return tokens.owner_mark(self.signer, self.auth.owner(user) or "")

    def is_owner_mark(self, user: Any, mark: str) -> bool:
        """Whether this, in a token, stands for this user."""
        return tokens.is_owner_mark(self.signer, self.auth.owner(user) or "", mark)

    def read_token(self, text: str) -> Token:
        """What a token says; PeerError where it is malformed or forged."""
        return tokens.read_token(self.signer, text)

    def visible_request(self, request: HTTPServerRequest) -> VisibleRequest:
        """What of a request the applications may see."""
        return VisibleRequest.from_request(request, self._filter)

    def routed(self, path: str) -> str:
        """This path with the instance's route in front, if it has one, so that sockets come back to this instance."""
        return f"/_i/{self.settings.route}{path}" if self.settings.route else path

    def socket_path(self, route: str) -> str | None:
        """Where the page's socket is to be opened, if not beside the page."""
        return self.routed(self.settings.prefix + route.rstrip("/")) if self.settings.route else None

    def report_refused_origin(self, origin: str | None) -> None:
        """Say once for each origin which setting would let it in."""
        shown = None if origin is None else origin[:_LONGEST_ORIGIN]
        if shown is None or shown in self._refused_origins or len(self._refused_origins) > 1000:
            return
        self._refused_origins.add(shown)
        host = in_one_line(shown.split("://", 1)[-1])
        hint = f"If it is yours, start with --allow-websocket-origin={host}"
        log.error("Refused a page of origin %r. %s", shown, hint)

    def failure_page(self, error: ApplicationError) -> str:
        """The page of an application that failed."""
        if self.settings.dev:
            cause = error.__cause__
            trace = "".join(traceback.format_exception(cause)) if cause is not None else None
            return error_page(500, "The application failed", str(error), traceback=trace, head=self.page_head)
        hint = ASK_OPERATOR
        return error_page(500, "The application failed to start", hint=hint, traceback=error.shown or None)

    def index_html(self, namespace: Mapping[str, Any]) -> str:
        """The list of applications; `namespace` is what Tornado gives its templates."""
        prefix = self.settings.prefix
        if self._own_index is not None:
            return self._own_index.render([runtime.url for runtime in self.runtimes], prefix, namespace)
        entries = [
            IndexEntry(unescaped(runtime.url), prefix + runtime.url, runtime.application.description)
            for runtime in self.runtimes
        ]
        return index_page(entries, title="Applications", prefix=prefix)


async def _nothing_changes() -> None:
    """Files are read when the server starts."""


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


def _favicon(settings: Settings) -> tuple[str, bytes] | None:
    if settings.ico_path == "none":
        return None
    if settings.ico_path in (None, "default"):
        return favicon()
    try:
        return "image/x-icon", Path(settings.ico_path).read_bytes()
    except OSError as error:
        raise OperatorError(f"{settings.ico_path} cannot be read: {error.strerror}", where="--ico-path") from None
