"""A person at a page: opens it, thinks, does something with a widget, and waits for nothing but the next idea."""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

import orjson

from app_server.load.client import Closed, Connection, Page, Refused, Tab, join, open_page
from app_server.load.meter import Meter
from app_server.load.moves.planning import KINDS, movable, plan
from app_server.load.moves.step import Step
from app_server.load.outline import Outline
from app_server.load.pages import assets_of
from app_server.load.site import Site, get
from app_server.load.wire import Message

BROWSER: Final = {"Accept-Encoding": "gzip", "Accept": "text/html"}
AT_ONCE: Final = 6
"""How many files a browser loads at a time."""

AGAIN_AFTER_S: Final = 1.0
"""The least time after which someone whose page was refused or lost tries again."""

MOST_WAITING: Final = 200
"""Who has sent so many messages without an answer sends no more for now: no hand goes on for that long."""

_OF_INTEREST = re.compile(
    rb'"attr":\s*"(?:options|start|end|value|active|disabled|visible|categories|labels|tabs|children|child|elements'
    rb'|menu|completions|low|high|min_date|max_date|step|subscribed_events)"|"object"|"Root(?:Added|Removed)"'
)
"""What a patch holds if it changes what a person can do; most only bring data, which need not be read."""


class Script(Protocol):
    """What a person does, one message after the other, in a page."""

    def steps(self, outline: Outline, random: Random, meter: Meter) -> AsyncIterator[Step]:
        """Messages, each with the time since the one before; what `outline` says changes meanwhile.

        One without events is not sent: the person only waits.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ideas:
    """Moves any widget that the page has, after a time that is random: `think_s` on average."""

    think_s: float

    async def steps(self, outline: Outline, random: Random, meter: Meter) -> AsyncIterator[Step]:
        """Moves without an end."""
        while True:
            yield Step(random.expovariate(1 / self.think_s), ())
            widgets = movable(outline.reachable())
            for step in plan(random.choice(widgets), random) if widgets else ():
                yield step


@dataclass(frozen=True, slots=True)
class Visit:
    """How a page is opened, and whether its scripts are loaded, too, as by someone who has never been there."""

    site: Site
    path: str
    scripts: bool = False

    async def open(self) -> Tab:
        """A new session, as a browser opens it."""
        page = await open_page(self.site, self.path, BROWSER)
        loading = asyncio.create_task(self._load(page)) if self.scripts else None
        try:
            tab = await join(self.site, page.socket_path, page.token, page.cookies)
            if loading is not None:
                await loading
        finally:
            if loading is not None:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)
        return tab

    async def _load(self, page: Page) -> None:
        paths = [] if page.response is None else assets_of(page.response.text)
        for first in range(0, len(paths), AT_ONCE):
            found = await asyncio.gather(*(get(self.site, path, BROWSER) for path in paths[first : first + AT_ONCE]))
            for path, response in zip(paths[first:], found, strict=False):
                if response.status != 200:
                    raise Refused(f"GET {path} answered {response.status}", response)


class Person:
    """Someone who uses the application until the task is cancelled, and does nothing while `active` is not set."""

    def __init__(self, visit: Visit, script: Script, meter: Meter, random: Random, active: asyncio.Event) -> None:
        self._active = active
        self._visit = visit
        self._script = script
        self._meter = meter
        self._random = random
        self._waiting: dict[str, float] = {}
        self._outline = Outline({})
        self.has_tried = False
        """Whether the first page is open, or has failed."""

    def waiting_s(self, now_s: float) -> list[float]:
        """For how long answers have been awaited that have not come."""
        return [now_s - sent_s for sent_s in self._waiting.values()]

    async def live(self) -> None:
        """Come again and again."""
        while True:
            pause_s = self._random.random() * AGAIN_AFTER_S
            try:
                await self._come()
            except FAULTS as fault:
                self._meter.failed(*kind_of(fault))
                pause_s += AGAIN_AFTER_S
            except Exception as error:  # the report shows it; who is silently gone would make the server look good
                self._meter.failed("fault of the test", repr(error))
                pause_s += AGAIN_AFTER_S
            self.has_tried = True
            self._waiting.clear()
            await asyncio.sleep(pause_s)

    async def _come(self) -> None:
        began_s = time.monotonic()
        tab = await self._visit.open()
        try:
            self._meter.opened(time.monotonic() - began_s)
            self.has_tried = True
            self._outline = outline_of(tab.reply)
            tab.connection.deliver_to(self._receive)
            await self._use(tab.connection)
        finally:
            tab.connection.close()

    async def _use(self, connection: Connection) -> None:
        due_s = time.monotonic()
        async for step in self._script.steps(self._outline, self._random, self._meter):
            due_s = max(due_s, time.monotonic() - AGAIN_AFTER_S) + step.after_s
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            if connection.closed:
                raise connection.fault()
            if not self._active.is_set():
                await self._active.wait()  # and then something else, or all would go on at once
            elif step.events and len(self._waiting) < MOST_WAITING:
                now_s = time.monotonic()
                self._waiting[connection.send("PATCH-DOC", step.content())] = now_s
                self._meter.moved(now_s - due_s)
                self._outline.apply(step.events)

    def _receive(self, message: Message) -> None:
        kind = message.kind
        if kind == "PATCH-DOC":
            if _OF_INTEREST.search(message.content):
                self._follow(message)
            return
        sent_s = self._waiting.pop(str(message.header.get("reqid")), None)
        if kind == "ERROR":
            self._meter.failed("error", text_of(message))
        elif kind == "OK" and sent_s is not None:
            self._meter.answered(message.arrived_s - sent_s)

    def _follow(self, message: Message) -> None:
        """Take in a patch, as far as it can be understood."""
        try:
            self._outline.apply(events_of(message))
        except MISREAD:
            self._meter.failed("not as expected", "a patch cannot be read")


MISREAD: Final = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What comes of a document that is none of Bokeh's."""

FAULTS: Final = (Refused, OSError, ValueError, TimeoutError, asyncio.IncompleteReadError)
"""What comes of a server that does not answer, or not as it should; TLS and lost connections are OSErrors."""


def kind_of(fault: BaseException) -> tuple[str, str]:
    """The kind of this fault, and what to say of it."""
    if isinstance(fault, Refused):
        status = 0 if fault.response is None else fault.response.status
        return (f"page refused ({status})" if status != 200 and status else "not as expected"), str(fault)
    if isinstance(fault, Closed):
        return (f"socket refused ({fault.status})" if fault.status else "connection lost"), str(fault)
    if isinstance(fault, ssl.SSLError):
        return "TLS failed", str(getattr(fault, "reason", None) or fault)
    if isinstance(fault, TimeoutError):
        return "no answer in time", ""
    if isinstance(fault, ConnectionRefusedError):
        return "cannot connect", "the connection was refused"
    if isinstance(fault, OSError):
        return "cannot connect", fault.strerror or str(fault)
    return "not as expected", str(fault)


def outline_of(reply: Message) -> Outline:
    """The outline of a document that was pulled. ValueError if it is none."""
    try:
        return Outline(orjson.loads(reply.content)["doc"], KINDS)
    except MISREAD:
        raise ValueError("the server's document cannot be read") from None


def events_of(message: Message) -> list[Any]:
    """The events of a patch; none of one that cannot be read."""
    try:
        events = orjson.loads(message.content)["events"]
    except MISREAD:
        return []
    return events if isinstance(events, list) else []


def text_of(message: Message) -> str:
    """What an ERROR says, in one line."""
    try:
        text = str(orjson.loads(message.content).get("text", ""))
    except MISREAD:
        text = ""
    return " ".join(text.split())
