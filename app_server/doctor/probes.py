"""The walk: which requests are made, and in which order. Nothing here says what is right or wrong.

    name -> TLS, http:// and the page -> everything that the page leads to, side by side

Only the page, two scripts that embed it and the openings make sessions in the application: three, and as many as
`Options.openings` says.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final, TypeVar

from app_server.doctor.address import Target
from app_server.doctor.network.connection import connection, failure_of
from app_server.doctor.network.frames import BadFrame
from app_server.doctor.network.sockets import Socket
from app_server.doctor.network.tls import look_at_tls
from app_server.doctor.network.visitor import Visitor
from app_server.doctor.openings import open_all
from app_server.doctor.options import MAX_REDIRECTS, Options
from app_server.doctor.questions import autoload_of, is_lost_early, names_session, socket_of, spoofs, tries_after
from app_server.doctor.seen.answers import FOREIGN_ORIGIN, Answer, Handshake, Idle, Reach
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Embedding, Page, enlarged_token
from app_server.protocol.doctor import TRICKLE, TRICKLE_S

T = TypeVar("T")

LARGE_TOKEN_BYTES: Final = 12 * 1024
"""What a page's token may grow to with cookies and headers in it; nginx and Apache accept 8 kB by default."""

LATE_S: Final = 0.25
"""How long to wait for an end that a busy machine may have delayed."""

IDLE_TRIES: Final = 3
"""How many sockets to open until one is greeted and silent."""

MAX_ADDRESSES: Final = 4

MAX_SCRIPTS: Final = 12


async def examine(target: Target, options: Options) -> Evidence:
    """All that can be seen of the deployment at this address."""
    evidence = Evidence(
        target, now=time.time(), instances_expected=options.instances, proxy_given=options.proxy,
        timeout_s=options.route.timeout_s, names_session=names_session(target, options.route),
    )  # fmt: skip
    return await _Walk(options, evidence).run()


class _Walk:
    """Collects evidence, step by step."""

    def __init__(self, options: Options, evidence: Evidence) -> None:
        self._options = options
        self._evidence = evidence
        self._visitor = Visitor(options.route)

    async def run(self) -> Evidence:
        """Everything that fits into the time limit."""
        try:
            async with asyncio.timeout(self._options.limit_s):
                await self._go()
        except TimeoutError:
            pass  # single steps have their own limits, and say what took so long
        return self._evidence

    def _note(self, **seen: Any) -> None:
        self._evidence = replace(self._evidence, **seen)

    async def _go(self) -> None:
        reach = await self._look_up()
        if not any(place.failure is None for place in reach):
            return
        await asyncio.gather(self._ask_plainly(), self._load_page())
        page = self._evidence.page
        if page is None:
            return
        await self._note_all(
            nonsense=self._visitor.say_nonsense(page.answer.target),
            tls=self._tls(page.answer.target),
            **self._about_requests(page),
            **(self._about_sessions(page, page.token) if page.token else {}),
        )

    async def _note_all(self, **steps: Awaitable[Any]) -> None:
        """Run the steps concurrently, and note each as soon as it ends."""

        async def take(name: str, step: Awaitable[Any]) -> None:
            self._note(**{name: await step})

        await asyncio.gather(*(take(name, step) for name, step in steps.items()))

    async def _look_up(self) -> Sequence[Reach]:
        target, route = self._evidence.target, self._options.route
        try:
            async with asyncio.timeout(route.timeout_s):
                loop = asyncio.get_running_loop()
                found = await loop.getaddrinfo(route.address or target.host, target.port, type=socket.SOCK_STREAM)
        except OSError as error:
            self._note(name_failure=failure_of(error, route.timeout_s))
            return ()
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
        reach = await asyncio.gather(*(self._reach(address) for address in addresses))
        self._note(reach=tuple(reach))
        return reach

    async def _reach(self, address: str) -> Reach:
        plain = replace(self._evidence.target, scheme="http")
        try:
            async with connection(replace(self._options.route, address=address), plain):
                return Reach(address)
        except Exception as error:
            return Reach(address, failure_of(error, self._options.route.timeout_s))

    async def _tls(self, target: Target) -> Any:
        if target.scheme != "https":
            return None
        return await look_at_tls(self._options.route, target, self._options.ca_file)

    async def _ask_plainly(self) -> None:
        """What http:// answers if the address is https://."""
        target = self._evidence.target
        if target.scheme == "https":
            port = self._options.http_port or (80 if target.port == 443 else None)
            if port is not None:
                plain = replace(target, scheme="http", port=port)
                self._note(plain=await Visitor(self._options.route).ask(plain, method="HEAD"))

    async def _load_page(self) -> None:
        """The page, after following redirects."""
        target, redirects = self._evidence.target, list[Answer]()
        failed: list[Answer] = []
        while True:
            answer = await self._visitor.ask(target)
            if len(failed) < tries_after(answer):
                failed.append(answer)
                continue
            location = answer.header("location")
            following = target.follow(location) if location and 300 <= answer.status < 400 else None
            if following is None or len(redirects) >= MAX_REDIRECTS or following.host != target.host:
                break
            redirects.append(answer)
            target = following
        self._note(page=Page(answer), redirects=tuple(redirects), failed_pages=tuple(failed))

    async def _ask(self, target: Target, visitor: Visitor | None = None, **how: Any) -> Answer:
        """The answer to a request, which is repeated if no instance answers it: another one may."""
        visitor = visitor or self._visitor
        answers = [await visitor.ask(target, **how)]
        while len(answers) <= tries_after(answers[-1]):
            answers.append(await visitor.ask(target, **how))
        if len(answers) > 1:
            self._note(repeated=(*self._evidence.repeated, tuple(answers)))
        return answers[-1]

    def _about_requests(self, page: Page) -> dict[str, Awaitable[Any]]:
        """Requests that need no session."""
        target = page.answer.target
        root = page.root_path
        scripts = [found for link in page.bokehjs[:MAX_SCRIPTS] if (found := target.follow(link)) is not None]
        own_file = target.path.rstrip("/") + "/static/js/bokeh.min.js"
        steps: dict[str, Awaitable[Any]] = {
            "honest": self._ask(target, method="HEAD"),
            "spoofed": self._ask(target, method="HEAD", headers=spoofs(target)),
            "scripts": self._all(self._ask_packed(script) for script in scripts),
            "scripts_again": self._revalidated(scripts[:1]),
            "own_static": self._ask(target.at(own_file), method="HEAD"),
        }
        if root is not None:
            steps |= {
                "beside_static": self._ask(target.at(f"{root}static-of-the-doctor")),
                "extensions": self._ask(target.at(f"{root}static/extensions/doctor/none.js")),
                "missing": self._ask(target.at(f"{root}nothing-of-the-doctor")),
                "trickle": self._trickle(target.at(f"{root}healthz", TRICKLE)),
            }
        return steps

    async def _trickle(self, target: Target) -> Answer:
        """An answer that the server sends bit by bit; the slowest of three: a busy machine may merge the parts."""
        best = Answer(target)
        for _ in range(3):
            answer = await self._ask(target, extra_s=TRICKLE_S)
            if answer.spread_s >= best.spread_s:
                best = answer
            if best.seen is None or best.spread_s > TRICKLE_S / 2:
                break
        return best

    async def _ask_packed(self, script: Target) -> Answer:
        """A script as a browser requests it; only the start of its content is kept."""
        answer = await self._ask(script, headers={"Accept-Encoding": "gzip, br"})
        return replace(answer, body=answer.body[:200])

    async def _revalidated(self, scripts: Sequence[Target]) -> tuple[Answer, ...]:
        """The answers to a browser that has cached these files."""
        found = []
        for script in scripts:
            first = await self._visitor.ask(script, method="HEAD", headers={"Accept-Encoding": "gzip, br"})
            known = {"If-None-Match": first.header("etag"), "If-Modified-Since": first.header("last-modified")}
            headers = {name: value for name, value in known.items() if value}
            if headers:
                headers["Accept-Encoding"] = "gzip, br"
                found.append(replace(await self._visitor.ask(script, headers=headers), body=b""))
        return tuple(found)

    def _about_sessions(self, page: Page, token: str) -> dict[str, Awaitable[Any]]:
        """What needs a session: the page's, and one for each opening."""
        target = page.answer.target
        large = enlarged_token(token, LARGE_TOKEN_BYTES)
        return {
            "idle": self._stay_idle(page, token),
            "openings": open_all(self._options.route, target, self._options.openings),
            "foreign": self._visitor.open_socket(socket_of(page), token, origin=FOREIGN_ORIGIN),
            "foreign_script": self._ask(autoload_of(target), origin=FOREIGN_ORIGIN),
            "own_scripts": self._ask_one_by_one(autoload_of(target)),
            "large_token": self._visitor.open_socket(socket_of(page), large, origin=target.origin),
            "large_token_bytes": _done(len(large)),
            "embeddings": self._all(self._embed(target, origin) for origin in self._options.embed_origins),
        }

    async def _stay_idle(self, page: Page, token: str) -> Idle | None:
        """How long a socket stays open if this end only answers pings; None if none opens."""
        found: Idle | None = None
        wanted_s = self._options.idle_s

        async def wait(opened: Socket) -> None:
            nonlocal found
            async with asyncio.timeout(self._options.route.timeout_s):
                await opened.pull()  # as a page does; the server considers a client stuck that has not asked
            started = time.monotonic()
            ended = await _end_within(opened, wanted_s)
            if ended is None:
                # If this program was late itself, the end has arrived by now and only was not read yet.
                ended = await _end_within(opened, LATE_S)
            lasted_s = time.monotonic() - started
            found = Idle(wanted_s, lasted_s, ended, opened.close_code, opened.pings)

        origin = page.answer.target.origin
        for _ in range(IDLE_TRIES):
            opened = await self._visitor.open_socket(socket_of(page), token, origin=origin, then=wait)
            if not is_lost_early(opened):
                break
        if not opened.accepted and opened.answer.status == 403:
            # The origin is refused, which other rules report: programs, which have none, are accepted.
            await self._visitor.open_socket(socket_of(page), token, origin="", then=wait)
        return found

    async def _ask_one_by_one(self, target: Target) -> tuple[Answer, ...]:
        """What two browsers get, one after the other: a cache may have stored it."""
        visitors = (Visitor(self._options.route), Visitor(self._options.route))
        return tuple([await self._ask(target, visitor, origin=target.origin) for visitor in visitors])

    async def _embed(self, target: Target, origin: str) -> Embedding:
        visitor = Visitor(self._options.route)
        script = await self._ask(autoload_of(target), visitor, origin=origin)
        token = Page(script).token
        opened: Handshake | None = None
        if token is not None:
            opened = await visitor.open_socket(socket_of(Page(script), target), token, origin=origin)
        return Embedding(origin, script, opened)

    async def _all(self, steps: Any) -> tuple[Any, ...]:
        return tuple(await asyncio.gather(*steps))


async def _end_within(opened: Socket, patience_s: float) -> str | None:
    """How the socket ended; None if it did not within this time."""
    with suppress(TimeoutError):
        try:
            async with asyncio.timeout(patience_s):
                while await opened.receive() is not None:
                    pass
        except BadFrame as error:
            return str(error)
    return opened.ended


async def _done(value: T) -> T:
    return value
