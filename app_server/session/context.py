"""What an application may know of its session and of the server: `curdoc().session_context`."""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError
from app_server.protocol.paths import page_path
from app_server.security.visible_request import VisibleRequest

log = logging.getLogger(__name__)

AccessToken = Callable[[Any], "str | None"]


def no_access_token(user: Any) -> None:
    """None: no provider has given one."""


LockedCall = Callable[[Callable[[ServedDocument], Any]], Awaitable[Any]]


VIEW: Final = "bokeh-view"
"""The argument of a page's address that leads to a bookmark."""

_DAY_S: Final = 86400

_MOST_REASONS: Final = 20
"""How many reasons for which something cannot be saved are logged in a session."""


class Bookmarking(Protocol):
    """What makes and revokes the links to a session."""

    def make(self, context: SessionContext, ttl_s: float, *, anyone: bool) -> str: ...

    def revoke(self, link: str) -> None: ...


class ApplicationContext:
    """One served application: where it is served and its sessions."""

    def __init__(self, url: str, sessions: Callable[[], Iterable[Any]]) -> None:
        self._url = url
        self._sessions = sessions
        self.server_context = ServerContext(self)

    @property
    def url(self) -> str:
        """The path at which the application is served."""
        return self._url

    @property
    def sessions(self) -> list[Any]:
        """The application's living sessions. ApplicationError if each has a process of its own."""
        return list(self._sessions())


def isolated_context(url: str) -> ApplicationContext:
    """The context of an application whose sessions each have a process of their own, in one of these processes."""

    def refuse() -> Iterable[Any]:
        raise ApplicationError(
            "server_context.sessions is not available: each session has a process of its own",
            where=url,
            hint="Keep what sessions share in a file, a database or Redis, or serve with --isolation none",
        )

    return ApplicationContext(url, refuse)


class ServerContext:
    """What the hooks on_server_loaded and on_server_unloaded are called with."""

    def __init__(self, application_context: ApplicationContext) -> None:
        self._application_context = weakref.ref(application_context)

    @property
    def application_context(self) -> ApplicationContext | None:
        """The application that the hooks belong to."""
        return self._application_context()

    @property
    def sessions(self) -> list[Any]:
        """The application's living sessions."""
        context = self._application_context()
        return [] if context is None else context.sessions


class SessionContext:
    """What the session's hooks are called with, and what `curdoc().session_context` returns."""

    def __init__(
        self,
        session_id: str,
        server_context: ServerContext,
        document: ServedDocument,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        logout_url: str | None = None,
        user: Any = None,
        *,
        state: Mapping[str, Any] | None = None,
        restoring: bool = False,
        begun_s: float | None = None,
        access_token: AccessToken = no_access_token,
        jobs: Any = None,
    ) -> None:
        self.jobs = jobs
        """What `app_server.jobs` asks for the session's jobs; None if it cannot have any."""
        self.begun_s = time.time() if begun_s is None else begun_s
        """When the session was first asked for, in seconds since the epoch: being restored does not make it younger."""
        self._id = session_id
        self._server_context = server_context
        self._document = document
        self._request = request
        self._token_payload = token_payload
        self._logout_url = logout_url
        self._user = user
        self._access_token = access_token
        self._state: dict[str, Any] = dict(state or {})
        self._restoring = restoring
        self._excluded: set[str] = set()
        self._unsaved: set[str] = set()
        self._bookmarks: Bookmarking | None = None
        self._session: Any = None
        self._locked_call: LockedCall | None = None

    def attach(self, session: Any, locked_call: LockedCall) -> None:
        """Take note of the session once it is built, and of how to run something under its document's lock."""
        self._session = session
        self._locked_call = locked_call

    def note_restored(self) -> None:
        """Take note that the session has been given what was saved of it."""
        self._restoring = False

    def note_unsaved(self, why: str) -> None:
        """Log, once for each reason, that something of the application's own cannot be saved."""
        if why not in self._unsaved and len(self._unsaved) < _MOST_REASONS:
            self._unsaved.add(why)
            name = f"session {self._id[:8]}…" if self._session is None else self._session.name
            log.warning("%s: not saved: %s", name, why)

    @property
    def state(self) -> dict[str, Any]:
        """A dictionary of the application's own, which is saved with the session if the server has a store.

        Keep texts, numbers, booleans, None, and lists and dictionaries of these in it.
        """
        return self._state

    @property
    def restoring(self) -> bool:
        """Whether the session is being restored: the application is built again, and its inputs get their values."""
        return self._restoring

    @property
    def excluded(self) -> Collection[str]:
        """The ids of the models whose values are not saved."""
        return self._excluded

    def exclude_from_store(self, model: Any) -> None:
        """Never save the values of this model. Password inputs are never saved anyway."""
        self._excluded.add(str(model.id))

    def attach_bookmarks(self, bookmarks: Bookmarking) -> None:
        """Take note of what makes links to the session."""
        self._bookmarks = bookmarks

    def bookmark(self, ttl: float = 7 * _DAY_S, *, anyone: bool = False) -> str:
        """An address that opens a copy of the session as it is now, for `ttl` seconds.

        Only the session's own user may open it; with `anyone`, everyone who can open the application. Raises
        ApplicationError if the server saves no sessions, or the session is being built.
        """
        if self._bookmarks is None or self._session is None or self._request is None:
            raise ApplicationError(
                "session_context.bookmark is not available: the session is being built, or the server has no store",
                hint="Call it in a callback, and start the server with --store FOLDER",
            )
        name = self._bookmarks.make(self, ttl, anyone=anyone)
        parts = urlsplit(self._request.full_url())
        path = page_path(parts.path, self._request.app_path)
        query = [(key, value) for key, value in parse_qsl(parts.query) if not key.startswith("bokeh-")]
        return urlunsplit(parts._replace(path=path, query=urlencode([*query, (VIEW, name)])))

    def revoke_bookmark(self, address: str) -> None:
        """Let an address that `bookmark` has returned lead nowhere. PeerError if it is not one of this server."""
        if self._bookmarks is not None:
            self._bookmarks.revoke("".join(parse_qs(urlsplit(address).query).get(VIEW, [])))

    @property
    def id(self) -> str:
        """The session's id."""
        return self._id

    @property
    def server_context(self) -> ServerContext:
        """The context of the application's server hooks."""
        return self._server_context

    @property
    def session(self) -> Any:
        """The session, or None while it is being built."""
        return self._session

    @property
    def document(self) -> ServedDocument:
        """The session's document, as bokeh has it from 3.10 on."""
        return self._document

    @property
    def destroyed(self) -> bool:
        """Whether the session has ended."""
        return self._session is not None and bool(self._session.destroyed)

    @property
    def request(self) -> VisibleRequest | None:
        """What the application may see of the request that opened the session."""
        return self._request

    @property
    def token_payload(self) -> Mapping[str, Any]:
        """What travelled in the session's token: headers, cookies, arguments, and what process_request returned."""
        return self._token_payload

    @property
    def user(self) -> Any:
        """The user who opened the session, as the server or its authentication module knows them, or None."""
        return self._user

    def access_token(self) -> str | None:
        """An access token of the user for the provider's services, which is valid now.

        The server renews it, so ask for it each time instead of keeping it. None without `--access-tokens`, or if the
        provider no longer renews it.
        """
        return self._access_token(self._user)

    @property
    def logout_url(self) -> str | None:
        """Where a user of the application can log out."""
        return self._logout_url

    async def with_locked_document(self, function: Callable[[ServedDocument], Any]) -> None:
        """Run `function(document)`, and await what it returns, while nothing else changes the document.

        If the session has ended, or could not be built, its document is gone, and nothing is run.
        """
        if self._document.ended:
            log.debug("The session %s… has ended: with_locked_document runs nothing", self._id[:8])
        elif self._locked_call is None:  # the session is being built: nothing else has the document
            result = function(self._document)
            if result is not None:
                await result
        else:
            await self._locked_call(function)
