"""The first visit to an application: whether a load may be put on it at all, and what people can do there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from app_server.errors import OperatorError, in_one_line
from app_server.load.client import Closed, Page, Refused, Tab, join, open_page
from app_server.load.moves.planning import left_out, movable
from app_server.load.outline import Outline
from app_server.load.pages import Response
from app_server.load.permission import ALLOWED, HEADER
from app_server.load.person import BROWSER, FAULTS, Visit, kind_of, outline_of

LONGEST_SHOWN: Final = 200

_STATUS_HINTS: Final[Mapping[int, str]] = {
    401: "Log in: give --header-file, with a line such as `Authorization: Basic …` or `Cookie: …`.",
    403: "Log in: give --header-file, with a line such as `Cookie: …`; or is the address blocked?",
    404: "Is this the address that people open, with the application's path?",
    429: "A rate limit has refused the first visit already: wait, or raise the limit for this machine.",
    503: "The server is full, stopping or restarting: try again later.",
}
_REDIRECT_HINT: Final = "Give that address. If it is a login, log in with --header-file instead."
_NOT_ALLOWED_HINT: Final = (
    "Start it with --allow-load-tests. If it is another kind of server and it is yours, give --yes-this-is-mine."
)
_SOCKET_HINTS: Final[Mapping[int, str]] = {
    403: "The server does not accept this address as an origin: see --allow-websocket-origin.",
    404: "Does the proxy in front pass WebSockets on?",
    429: "A rate limit refused it.",
    503: "The server is full, stopping or restarting: try again later.",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the application's page has: what can be moved, by class, and the widgets that are not."""

    movable: Mapping[str, int]
    left_out: Mapping[str, int]
    title: str = ""


async def first_visit(visit: Visit, url: str, *, is_mine: bool, timeout_s: float) -> Seen:
    """What the first visitor sees. OperatorError if it is not an application, or must not be tested."""
    try:
        async with asyncio.timeout(timeout_s):
            page = await _page(visit, url, is_mine=is_mine)
            tab = await _socket(visit, page, url)
    except TimeoutError:
        hint = "Give a longer --timeout if the application takes long to start."
        raise OperatorError(f"no answer within {timeout_s:g} s", where=url, hint=hint) from None
    try:
        return seen(outline_of(tab.reply))
    except ValueError:
        raise OperatorError("the server's document cannot be read", where=url) from None
    finally:
        tab.connection.close()


def seen(outline: Outline) -> Seen:
    """What people can do in this document."""
    models = outline.reachable()
    found: dict[str, int] = {}
    for model in movable(models):
        found[model.kind] = found.get(model.kind, 0) + 1
    return Seen(found, left_out(models))


async def _page(visit: Visit, url: str, *, is_mine: bool) -> Page:
    try:
        page = await open_page(visit.site, visit.path, BROWSER)
    except Refused as refused:
        raise refusal(refused, url) from None
    except FAULTS as fault:
        raise unreachable(fault, url) from None
    if not is_mine and (page.response is None or page.response.headers.get(HEADER.lower()) != ALLOWED):
        raise OperatorError("this server does not say that it allows load tests", where=url, hint=_NOT_ALLOWED_HINT)
    return page


async def _socket(visit: Visit, page: Page, url: str) -> Tab:
    try:
        return await join(visit.site, page.socket_path, page.token, page.cookies)
    except Closed as closed:
        hint = _SOCKET_HINTS.get(closed.status, "See the server's log.")
        raise OperatorError(f"the page opens, but not its WebSocket: {closed}", where=url, hint=hint) from None
    except Refused as refused:
        raise OperatorError(f"the server refused the session: {refused}", where=url) from None
    except FAULTS as fault:
        raise unreachable(fault, url) from None


def refusal(refused: Refused, url: str) -> OperatorError:
    """Why the answer to the first request is not the page of an application."""
    response = refused.response
    if response is None:
        return OperatorError(str(refused), where=url)
    if 300 <= response.status < 400:
        return OperatorError(f"redirects to {_destination(response, url)}", where=url, hint=_REDIRECT_HINT)
    if response.status != 200:
        hint = _STATUS_HINTS.get(response.status, "See the server's log." if response.status >= 500 else None)
        return OperatorError(f"answered with status {response.status}", where=url, hint=hint)
    hint = "Give the address of an application, such as http://localhost:5006/sliders."
    if b'type="password"' in response.body:
        hint = "It seems to be a login: log in with --header-file."
    return OperatorError("this is not the page of a Bokeh application", where=url, hint=hint)


def _destination(response: Response, url: str) -> str:
    where = urljoin(url, response.headers.get("location", ""))
    return in_one_line(where.partition("?")[0], LONGEST_SHOWN)


def unreachable(fault: BaseException, url: str) -> OperatorError:
    """Why there was no answer to the first request."""
    if isinstance(fault, ssl.SSLCertVerificationError):
        what = f"its certificate is not accepted: {fault.verify_message}"
        return OperatorError(what, where=url, hint="Give --ca-file if its authority is one of your own.")
    kind, text = kind_of(fault)
    what = "cannot be reached" if kind == "cannot connect" else kind
    # What a server with TLS does to a request without.
    hint = "With TLS, the address begins with https://." if isinstance(fault, ConnectionResetError) else None
    return OperatorError(in_one_line(f"{what}: {text}" if text else what, LONGEST_SHOWN), where=url, hint=hint)
