"""What the probes have seen of a deployment: values without a judgement."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from html import unescape
from typing import Final

from app_server.doctor import csp
from app_server.doctor.address import Target
from app_server.doctor.http import Headers
from app_server.protocol.doctor import HEADER, Seen

OUR_SERVERS: Final = ("app-server", "tornadoserver")
"""What the application server calls itself in a Server header, in lower case, as far as a proxy leaves it."""

FAILED_BEHIND: Final = (502, 503, 504)
"""What a proxy answers when the server behind it does not."""

FOREIGN_ORIGIN: Final = "https://doctor.invalid"
"""RFC 2606: a name that nobody can have."""

BOKEHJS: Final = re.compile(r"/bokeh[a-z-]*(\.min)?\.js(\?|$)")
"""Found in the addresses of BokehJS's own scripts."""

_TOKEN = re.compile(r'\\?"token\\?":\s*\\?"([A-Za-z0-9_.-]+)\\?"')
_SCRIPT = re.compile(r"""<script\b[^>]*?\bsrc\s*=\s*["']([^"'<>]+)["']""", re.IGNORECASE)
_SOCKET_PATH = re.compile(r'embed_items\([^;]{0,400}?, \\?"(/[^"\\]{1,600})\\?"')


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    `kind` is one of name, refused, unreachable, timeout, closed, empty, tls, tls-name, tls-client, malformed, large.
    """

    kind: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True)
class Answer:
    """What came of one request: a status with its headers and body, or a failure.

    `first_s` is when its head was there, `whole_s` when all of it was; `arrivals` are the times of the body's parts.
    """

    target: Target
    method: str = "GET"
    status: int = 0
    headers: Headers = ()
    body: bytes = b""
    failure: Failure | None = None
    first_s: float = 0.0
    whole_s: float = 0.0
    arrivals: tuple[float, ...] = ()

    def header(self, name: str) -> str | None:
        """The first header of this name, which is given in lower case."""
        return next(iter(self.all_of(name)), None)

    def all_of(self, name: str) -> tuple[str, ...]:
        """All headers of this name, which is given in lower case."""
        return tuple(value for known, value in self.headers if known == name)

    @cached_property
    def seen(self) -> Seen | None:
        """What the application server saw of the request; None where it did not say."""
        return Seen.read(self.header(HEADER.lower()) or "")

    @property
    def spread_s(self) -> float:
        """How long it took from the body's first part to its end."""
        return self.whole_s - self.arrivals[0] if self.arrivals else 0.0

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")

    @property
    def told(self) -> str:
        """Status or failure, in a few words."""
        return str(self.failure) if self.failure is not None else str(self.status)


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
        """The session that the token names; None where there is no token, or one that does not tell."""
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
        """The path below which the server says its files are; None where the page does not tell."""
        for script in self.bokehjs:
            target = self.answer.target.follow(script)
            if target is not None and "/static/" in target.path:
                return target.path.partition("/static/")[0] + "/"
        return None

    @cached_property
    def route(self) -> str | None:
        """The route to the instance of this page, where it names one."""
        found = re.match(r"/_i/([A-Za-z0-9_-]{1,32})/", self.socket_path)
        return found[1] if found else None

    @cached_property
    def socket_path(self) -> str:
        """Where BokehJS opens its socket: at the path that the page gives it, else beside the page."""
        found = _SOCKET_PATH.search(self.answer.text)
        return (found[1] if found else self.answer.target.path).rstrip("/") + "/ws"


@dataclass(frozen=True)
class Handshake:
    """An attempt to open a WebSocket.

    `answer` is that to the handshake; `greeting` is the first message after it, such as ACK, `close_code` that of a
    Close frame; `failure` is what went wrong after the handshake.
    """

    answer: Answer
    accepted: bool = False
    greeting: str | None = None
    close_code: int | None = None
    close_reason: str = ""
    failure: Failure | None = None
    pulled_bytes: int | None = None
    whole_s: float = 0.0

    @property
    def greeted(self) -> bool:
        """Whether the session has said hello."""
        return self.greeting == "ACK"

    @property
    def told(self) -> str:
        """What came of it, in a few words."""
        if not self.accepted:
            return self.answer.told
        if self.close_code is not None:
            return f"accepted, then closed with {self.close_code} {self.close_reason}".rstrip()
        return str(self.failure) if self.failure is not None else f"accepted, then {self.greeting}"


@dataclass(frozen=True)
class Opening:
    """An application opened once, as by a browser of its own: the page, then its socket."""

    page: Page
    socket: Handshake | None = None

    @property
    def instances(self) -> tuple[str | None, str | None]:
        """Which instance gave the page, and which one answered the socket's handshake."""
        page = self.page.answer.seen
        socket = self.socket.answer.seen if self.socket is not None else None
        return page.instance if page else None, socket.instance if socket else None

    @property
    def whole_s(self) -> float:
        """How long it took in all."""
        return self.page.answer.whole_s + (self.socket.whole_s if self.socket is not None else 0.0)


@dataclass(frozen=True, slots=True)
class Idle:
    """A socket on which the browser said nothing: for how long it was to stay, and how long it did."""

    wanted_s: float
    lasted_s: float
    ended: str | None = None
    close_code: int | None = None
    pings: int = 0


@dataclass(frozen=True, slots=True)
class Reach:
    """One address of the host, and why nobody answers there, if so."""

    address: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """What the handshakes of TLS showed.

    `trust_code` is OpenSSL's reason not to trust the certificate (X509_V_ERR_…), 0 where it does; `chain_length` counts
    the certificates that were sent. Times are seconds since the epoch, None where the certificate is not trusted;
    `issuer` is the organization that has signed it, "" where that is not known.
    """

    failure: Failure | None = None
    version: str = ""
    trust_code: int = 0
    trust_reason: str = ""
    name_reason: str = ""
    chain_length: int = 0
    not_before: float | None = None
    not_after: float | None = None
    issuer: str = ""
    old_versions: tuple[str, ...] = ()
    has_tls13: bool = True


@dataclass(frozen=True)
class Embedding:
    """What a page of this origin gets when it asks to embed the application."""

    origin: str
    script: Answer
    socket: Handshake | None = None


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one deployment. What was not tried, or made no sense, is None or empty.

    `own_scripts` are the embedding scripts that two browsers got, one after the other; `names_session` says that the
    doctor was given a session's name to ask for.
    """

    target: Target
    now: float = 0.0
    instances_expected: int | None = None
    reach: tuple[Reach, ...] = ()
    name_failure: Failure | None = None
    tls: Tls | None = None
    plain: Answer | None = None
    redirects: tuple[Answer, ...] = ()
    failed_pages: tuple[Answer, ...] = ()
    page: Page | None = None
    scripts: tuple[Answer, ...] = ()
    scripts_again: tuple[Answer, ...] = ()
    own_static: Answer | None = None
    beside_static: Answer | None = None
    extensions: Answer | None = None
    missing: Answer | None = None
    honest: Answer | None = None
    spoofed: Answer | None = None
    trickle: Answer | None = None
    nonsense: Answer | None = None
    openings: tuple[Opening, ...] = ()
    foreign: Handshake | None = None
    foreign_script: Answer | None = None
    own_scripts: tuple[Answer, ...] = ()
    names_session: bool = False
    large_token: Handshake | None = None
    large_token_bytes: int = 0
    idle: Idle | None = None
    embeddings: tuple[Embedding, ...] = ()
    proxy_given: str | None = None
    timeout_s: float = 10.0

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer there is."""
        return tuple(self._answers())

    def _answers(self) -> Iterator[Answer]:
        found: list[object] = [getattr(self, field.name) for field in fields(self)]
        while found:
            thing = found.pop(0)
            if isinstance(thing, Answer):
                yield thing
            elif isinstance(thing, Page | Handshake):
                found.append(thing.answer)
            elif isinstance(thing, Opening):
                found += [thing.page, thing.socket]
            elif isinstance(thing, Embedding):
                found += [thing.script, thing.socket]
            elif isinstance(thing, tuple):
                found += thing

    @cached_property
    def server_names(self) -> tuple[str, ...]:
        """What the answers say in their Server headers, the application server's own left out."""
        names = (answer.header("server") for answer in self.answers)
        return tuple(dict.fromkeys(name for name in names if name and not name.lower().startswith(OUR_SERVERS)))

    @cached_property
    def proxy(self) -> str | None:
        """nginx or apache, as was given or can be told from the answers; None where it cannot."""
        if self.proxy_given:
            return self.proxy_given
        for name in self.server_names:
            for known in ("nginx", "apache"):
                if known in name.lower():
                    return known
        return None

    @property
    def tls_failure(self) -> Failure | None:
        """Why TLS fails: in the handshake, or, with TLS 1.3, when the first request comes (RFC 8446, section 4.4.2)."""
        if self.tls is None or self.tls.failure is not None:
            return self.tls.failure if self.tls is not None else None
        failure = self.page.answer.failure if self.page is not None else None
        return failure if failure is not None and failure.kind.startswith("tls") else None

    @property
    def is_reached(self) -> bool:
        """Whether something listens there."""
        return self.name_failure is None and not (self.reach and all(place.failure for place in self.reach))

    @cached_property
    def knows_doctor(self) -> bool:
        """Whether the application server answers the doctor's question anywhere."""
        return any(answer.seen is not None for answer in self.answers)

    @cached_property
    def instances(self) -> tuple[str, ...]:
        """The instances that answered, each once."""
        return tuple(dict.fromkeys(answer.seen.instance for answer in self.answers if answer.seen is not None))

    @cached_property
    def sockets(self) -> tuple[Handshake, ...]:
        """The sockets that were opened for the application's own pages."""
        return tuple(opening.socket for opening in self.openings if opening.socket is not None)


def enlarged_token(token: str, size: int) -> str:
    """A token of this many bytes: the one given with something of no meaning in it, as far as it is not signed.

    A signed one cannot be changed, so that its place is taken by letters, which the server refuses after the handshake.
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
