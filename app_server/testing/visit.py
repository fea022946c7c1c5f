"""Who opens a page, with what request, and the session that they get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs, urlencode, urlsplit

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from app_server.engine.containment import blamed
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.woken import Woken
from app_server.errors import PeerError
from app_server.requests.seen_request import payload_of
from app_server.requests.state.server_state import ServerState
from app_server.security.auth.users import identity
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import VIEW
from app_server.session.session import Session
from app_server.testing.errors import CannotDo

Arguments: TypeAlias = Mapping[str, "str | Sequence[str]"]

_ADDRESS: Final = "127.0.0.1"
"""Where all visitors come from."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Who opens a page: `user` is what `session_context.user` says, None for someone who has not logged in."""

    user: Any = None
    arguments: Arguments = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, path: str) -> HTTPServerRequest:
        """The request for the page at this path."""
        query = urlencode(self.arguments, doseq=True)
        headers = HTTPHeaders({"Host": "localhost:5006", "Accept": "text/html", **self.headers})
        if self.cookies:
            headers["Cookie"] = SimpleCookie(dict(self.cookies)).output(attrs=[], header="", sep=";").strip()
        line = RequestStartLine("GET", f"{path}?{query}" if query else path, "HTTP/1.1")
        return HTTPServerRequest(start_line=line, headers=headers)


def arguments_of(address: str) -> dict[str, list[str]]:
    """The arguments in an address."""
    return parse_qs(urlsplit(address).query, keep_blank_values=True)


async def opened(state: ServerState, runtime: ApplicationRuntime, visit: Visit) -> tuple[Session, str]:
    """A new session, and the HTML of its page. ApplicationError if the application fails, CannotDo for a bad link."""
    copied = await _linked(runtime, visit)
    request, payload = _asked(state, runtime, visit, copied)
    woken = None if copied is None else copied.for_visitor(request, payload, visit.user)
    about = state.mint_session_id(), request, payload, visit.user, _ADDRESS
    session = await runtime.session(*about, fresh=True, copy_of=woken)
    with blamed(runtime.application), session.document.at_work():
        html = runtime.guest.render_page(
            session.document, "", state.pages.bundles, state.pages.root_url, app_path=None, head=state.pages.head
        )
    if runtime.guest.changes_pages and session.is_new:
        session.prepare()
    return session, html


async def reopened(state: ServerState, runtime: ApplicationRuntime, visit: Visit, session_id: str) -> Session:
    """The session of a page that comes back: as it is, as it was saved, or built again."""
    living = runtime.registry.get(session_id)
    if living is not None:
        return living
    request, payload = _asked(state, runtime, visit)
    session = await runtime.session(session_id, request, payload, visit.user, _ADDRESS)
    session.expect_returning_page()
    return session


async def _linked(runtime: ApplicationRuntime, visit: Visit) -> Woken | None:
    """The saved session that the address has a link to. CannotDo if there is none, or it is another user's."""
    link = visit.arguments.get(VIEW)
    if not link:
        return None
    try:
        copied = await runtime.bookmarked(link if isinstance(link, str) else link[0])
    except PeerError as error:
        raise CannotDo(f"the link leads nowhere: {error.what}") from None
    whose = [None if user is None else identity(user) for user in (copied.user, visit.user)]
    if not copied.for_anyone and whose[0] != whose[1]:
        raise CannotDo("the link leads to the session of another user")
    return copied


def _asked(
    state: ServerState, runtime: ApplicationRuntime, visit: Visit, copied: Woken | None = None
) -> tuple[VisibleRequest, dict[str, Any]]:
    """The visit's request as the application sees it, and the session's token_payload."""
    request = visit.request(state.policy.settings.prefix + runtime.url)
    visible = state.policy.visible_request(request)
    visible = visible if copied is None else copied.request_of(visible)
    payload = payload_of(runtime, request, visible)
    return visible, {**payload, "session_expiry": state.policy.token_expiry_s()}
