"""Evidence of a deployment that is well, to be changed by a test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from app_server.doctor.address import Target
from app_server.doctor.seen.answers import Answer, Failure, Handshake, Idle, Reach, Tls
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Opening, Page
from app_server.protocol.doctor import HEADER, Seen

HOME = Target("https", "app.test", 443, "/tools/board")
BARE = Answer(HOME)
ROOT = "/tools/"
NOW = 1_800_000_000.0
DAY_S = 86400
SCRIPT = "/tools/static/js/bokeh.min.js?v=1"
SEEN = Seen("one", proto="same", client="used")
HSTS = ("strict-transport-security", "max-age=63072000")
TIMEOUT = Failure("timeout", "no answer within 10 s")

Headers = tuple[tuple[str, str], ...]


def html(route: str | None = "a", script: str = SCRIPT) -> bytes:
    """The page of an application, as far as the doctor reads it."""
    path = f', "/_i/{route}/tools/board"' if route else ""
    text = f'<script src="{script}"></script><script>const render_items = [{{"token":"abc.def","roots":{{}}}}];'
    return f"{text} root.Bokeh.embed.embed_items(docs_json, render_items{path});</script>".encode()


def answer(
    path: str = HOME.path,
    status: int = 200,
    *headers: tuple[str, str],
    seen: Seen | None = SEEN,
    body: bytes = b"",
    **others: Any,
) -> Answer:
    """An answer of the application server through nginx; with `seen` None one of nginx itself."""
    path, _, query = path.partition("?")
    described: Headers = ((HEADER.lower(), seen.answer()),) if seen is not None else ()
    target = others.pop("target", HOME)
    given = (*headers, ("server", "nginx"), *described)
    return Answer(target.at(path, query), status=status, headers=given, body=body, **others)


def page(seen: Seen = SEEN, route: str | None = "a", **others: Any) -> Page:
    """The page of an application."""
    target = others.get("target", HOME)
    return Page(answer(target.path, 200, HSTS, ("cache-control", "no-store"), seen=seen, body=html(route), **others))


def handshake(seen: Seen | None = SEEN, **others: Any) -> Handshake:
    """A socket that was opened and greeted."""
    seen = None if seen is None else replace(seen, upgrade="came", origin="same")
    fields = {"accepted": True, "greeting": "ACK", "pulled_bytes": 900, "whole_s": 0.02, **others}
    return Handshake(answer("/_i/a/tools/board/ws", 101, seen=seen), **fields)


def refused(status: int, seen: Seen | None = SEEN, **others: Any) -> Handshake:
    """A socket whose handshake was answered with this status; the server saw an Upgrade, unless `seen` says so."""
    return Handshake(answer("/tools/board/ws", status, seen=seen, **others))


CAME = replace(SEEN, upgrade="came", origin="same")
SCRIPTS = answer(
    SCRIPT, 200, ("content-type", "text/javascript"), ("content-encoding", "br"), ("content-length", "300000"),
    ("cache-control", "public, max-age=31536000, immutable"),
)  # fmt: skip


def opening(first: Seen = SEEN, second: Seen | None = None, route: str | None = "a", **others: Any) -> Opening:
    """The application opened by a browser; the page came from `first`, the socket from `second`."""
    return Opening(page(first, route), handshake(second or first, **others))


def healthy() -> Evidence:
    """What is seen of a deployment that is well: nginx with TLS, in front of one instance."""
    return Evidence(
        HOME,
        now=NOW,
        reach=(Reach("203.0.113.5"),),
        tls=Tls(version="TLSv1.3", chain_length=2, not_before=NOW - 30 * DAY_S, not_after=NOW + 60 * DAY_S),
        plain=Answer(replace(HOME, scheme="http", port=80), status=308, headers=(("location", HOME.url),)),
        page=page(),
        scripts=(SCRIPTS,),
        scripts_again=(answer(SCRIPT, 304),),
        own_static=answer("/tools/board/static/js/bokeh.min.js"),
        beside_static=answer("/tools/static-of-the-doctor", 404),
        extensions=answer("/tools/static/extensions/doctor/none.js", 404),
        missing=answer("/tools/nothing-of-the-doctor", 404),
        honest=answer(),
        spoofed=answer(seen=replace(SEEN, proto="same")),
        trickle=answer("/tools/healthz?trickle", arrivals=(0.01, 0.26, 0.51, 0.76), whole_s=1.01),
        nonsense=answer("/", 400, seen=None),
        openings=(opening(), opening(), opening()),
        foreign=refused(403, CAME),
        foreign_script=answer("/tools/board/autoload.js", 403),
        large_token=handshake(),
        large_token_bytes=12288,
        idle=Idle(6.5, 6.5),
    )
