"""What an application's page says: its token, scripts, policies, and where its socket is."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from typing import Final

from app_server.doctor import csp
from app_server.doctor.seen.answers import Answer, Handshake

BOKEHJS: Final = re.compile(r"/bokeh[a-z-]*(\.min)?\.js(\?|$)")
"""Found in the addresses of BokehJS's own scripts."""

_TOKEN = re.compile(r'\\?"token\\?":\s*\\?"([A-Za-z0-9_.-]+)\\?"')

_SCRIPT = re.compile(r"""<script\b[^>]*?\bsrc\s*=\s*["']([^"'<>]+)["']""", re.IGNORECASE)

_SOCKET_PATH = re.compile(r'embed_items\([^;]{0,400}?, \\?"(/[^"\\]{1,600})\\?"')


@dataclass(frozen=True)
class Page:
    """An answer that is, or should be, an application's page."""

    answer: Answer

    @cached_property
    def token(self) -> str | None:
        """The token for the socket."""
        found = _TOKEN.search(self.answer.text) if self.answer.status == 200 else None
        return found[1] if found else None

    @cached_property
    def session_id(self) -> str | None:
        """The session that the token names; None without a readable token."""
        try:
            head = json.loads(_unpacked((self.token or "").partition(".")[0]))
            return str(head["session_id"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return None

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        """The addresses of its scripts, as they stand in the page, each once."""
        return tuple(dict.fromkeys(unescape(found) for found in _SCRIPT.findall(self.answer.text)))

    @cached_property
    def bokehjs(self) -> tuple[str, ...]:
        """The scripts of BokehJS among them."""
        return tuple(script for script in self.scripts if BOKEHJS.search(script))

    @cached_property
    def policies(self) -> tuple[csp.Policy, ...]:
        """The Content-Security-Policies that the page is under."""
        answer = self.answer
        return csp.policies(answer.all_of(csp.HEADER), answer.text, answer.target)

    @cached_property
    def root_path(self) -> str | None:
        """The path below which the server has its files; None if the page does not say."""
        for script in self.bokehjs:
            target = self.answer.target.follow(script)
            if target is not None and "/static/" in target.path:
                return target.path.partition("/static/")[0] + "/"
        return None

    @cached_property
    def route(self) -> str | None:
        """The route to the instance of this page, if it names one."""
        found = re.match(r"/_i/([A-Za-z0-9_-]{1,32})/", self.socket_path)
        return found[1] if found else None

    @cached_property
    def socket_path(self) -> str:
        """Where BokehJS opens its socket: at the path that the page gives it, else beside the page."""
        found = _SOCKET_PATH.search(self.answer.text)
        return (found[1] if found else self.answer.target.path).rstrip("/") + "/ws"


@dataclass(frozen=True)
class Opening:
    """An application opened once, as by a browser of its own: the page, then its socket.

    `again` are more sockets of the same page, which were open at the same time.
    """

    page: Page
    socket: Handshake | None = None
    again: tuple[Handshake, ...] = ()

    @property
    def instances(self) -> tuple[str | None, str | None]:
        """Which instance gave the page, and which one answered the socket's handshake."""
        page = self.page.answer.seen
        socket = self.socket.answer.seen if self.socket is not None else None
        return page.instance if page else None, socket.instance if socket else None

    @property
    def known_pairs(self) -> list[tuple[str, str]]:
        """For each socket of the page, the page's instance and the socket's, if both are known."""
        page = self.page.answer.seen
        sockets = ([self.socket] if self.socket is not None else []) + list(self.again)
        met = [socket.answer.seen for socket in sockets]
        return [(page.instance, seen.instance) for seen in met if seen is not None] if page is not None else []

    @property
    def whole_s(self) -> float:
        """How long it took in all."""
        return self.page.answer.whole_s + (self.socket.whole_s if self.socket is not None else 0.0)


@dataclass(frozen=True)
class Embedding:
    """What a page of this origin gets when it asks to embed the application."""

    origin: str
    script: Answer
    socket: Handshake | None = None


def enlarged_token(token: str, size: int) -> str:
    """A token of this many bytes: the given one with padding, if it is not signed.

    A signed token cannot be changed: letters replace it, which the server refuses only after the handshake.
    """
    part, dot, _ = token.partition(".")
    if not dot:
        try:
            head = json.loads(_unpacked(part))
            head["doctor"] = ""
            bare = len(_packed(head))
            head["doctor"] = "x" * max(0, (size - bare) * 3 // 4)
            return _packed(head)
        except (ValueError, TypeError, RecursionError):
            pass
    return "A" * size


def _unpacked(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _packed(head: object) -> str:
    text = json.dumps(head, separators=(",", ":")).encode("ascii")
    return urlsafe_b64encode(text).rstrip(b"=").decode("ascii")
