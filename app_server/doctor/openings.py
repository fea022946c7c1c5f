"""The application opened by several browsers, to see whether a page and its sockets meet the same instance."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.sockets import Socket
from app_server.doctor.network.visitor import Visitor
from app_server.doctor.questions import socket_of
from app_server.doctor.seen.answers import Handshake
from app_server.doctor.seen.pages import Opening, Page

PAGES_AGAIN: Final = 2
SOCKETS_AGAIN: Final = 4
"""How many pages, each of another instance, open how many more sockets if every first socket met its page's instance.

A proxy that does not know where a session lives can be right by chance. All first sockets are right together if they
come in the order of their pages, and browsers that come side by side easily do. So these sockets come one after
another, a page's in a row, and stay open:

- Taking turns, the proxy sends the second socket to another instance than the first.
- By the fewest connections, it does so too, unless other visitors have left the page's instance with `SOCKETS_AGAIN`
  fewer than any other. Then it sends the second page's sockets there as well, and they are wrong.
- At random among two instances, 6 first sockets and these 8 are all right once in 2**14 = 16,000 times; among three,
  once in five million.
"""

Browser = tuple[Visitor, Opening]


async def open_all(route: Route, target: Target, count: int) -> tuple[Opening, ...]:
    """The application as so many new browsers open it side by side, and some of their sockets again."""
    visitors = [Visitor(route) for _ in range(count)]
    openings = await asyncio.gather(*(_open(visitor, target) for visitor in visitors))
    if any(page != socket for page, socket in _known(openings)):
        return tuple(openings)
    return await _again(list(zip(visitors, openings, strict=True)), time.monotonic() + route.timeout_s)


def _known(openings: Sequence[Opening]) -> list[tuple[str, str]]:
    return [pair for opening in openings for pair in opening.known_pairs]


async def _open(visitor: Visitor, target: Target) -> Opening:
    """The application as a new browser opens it."""
    page = Page(await visitor.ask(target))
    if page.token is None:
        return Opening(page)
    pulled: int | None = None

    async def pull(opened: Socket) -> None:
        nonlocal pulled
        async with asyncio.timeout(visitor.route.timeout_s):
            pulled = await opened.pull()

    opened = await visitor.open_socket(socket_of(page), page.token, origin=target.origin, then=pull)
    return Opening(page, replace(opened, pulled_bytes=pulled))


async def _again(browsers: Sequence[Browser], latest_s: float) -> tuple[Opening, ...]:
    """The openings, with more sockets for the first one of each of some instances; none is begun after `latest_s`."""
    chosen: dict[str, int] = {}
    for index, (_, opening) in enumerate(browsers):
        for page, _ in opening.known_pairs:
            chosen.setdefault(page, index)
    picked = list(chosen.values())[:PAGES_AGAIN]
    sockets = await _hold([browsers[index] for index in picked for _ in range(SOCKETS_AGAIN)], latest_s)
    openings = [opening for _, opening in browsers]
    for place, index in enumerate(picked):
        own = sockets[place * SOCKETS_AGAIN : (place + 1) * SOCKETS_AGAIN]
        openings[index] = replace(openings[index], again=own)
    return tuple(openings)


async def _hold(waiting: Sequence[Browser], latest_s: float) -> tuple[Handshake, ...]:
    """One socket for each, opened while all those before are open; fewer if one does not open, or time is up."""
    if not waiting or time.monotonic() > latest_s:
        return ()
    (visitor, opening), *others = waiting
    page, more = opening.page, tuple[Handshake, ...]()

    async def hold(_: Socket) -> None:
        nonlocal more
        more = await _hold(others, latest_s)

    origin = page.answer.target.origin
    opened = await visitor.open_socket(socket_of(page), page.token or "", origin=origin, then=hold)
    return (opened, *more)
