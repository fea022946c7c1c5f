"""Changes of healthy evidence, and what has to be found then."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from app_server.doctor.finding import Hop, Severity
from app_server.doctor.report import remedies_for
from app_server.doctor.rules import judge
from app_server.doctor.seen.answers import Failure, Handshake, Tls
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Embedding, Opening, Page
from tests.unit.doctor.making import (
    CAME,
    HOME,
    HSTS,
    SCRIPT,
    SEEN,
    answer,
    handshake,
    healthy,
    html,
    opening,
    page,
)

Change = Callable[[Evidence], Evidence]
OTHER = replace(SEEN, instance="two")


def change(**fields: Any) -> Change:
    """Evidence of a deployment that is well, but for these fields."""
    return lambda evidence: replace(evidence, **fields)


def tls(**fields: Any) -> Change:
    def changed(evidence: Evidence) -> Evidence:
        assert evidence.tls is not None
        return replace(evidence, tls=replace(evidence.tls, **fields))

    return changed


def page_of(status: int, **others: Any) -> Change:
    """A page that is none, so that nothing was opened."""
    headers = others.pop("headers", ())
    given = Page(answer(HOME.path, status, *headers, **others))
    return change(page=given, openings=(), scripts=(), idle=None, large_token=None, foreign=None, missing=None)


def page_with(*headers: tuple[str, str]) -> Change:
    return change(page=Page(answer(HOME.path, 200, *headers, body=html())))


def all_seen(**words: str) -> Change:
    """Every honest request was seen by the server in this way."""
    seen = replace(SEEN, **words)
    return change(page=page(seen), honest=answer(seen=seen), openings=(opening(seen), opening(seen)))


def on_http(evidence: Evidence) -> Evidence:
    """The same without TLS."""
    target = replace(HOME, scheme="http", port=80)
    seen = page(target=target)
    return replace(evidence, target=target, tls=None, plain=None, page=seen)


def sockets(*opened: Any) -> Change:
    return change(openings=tuple(Opening(page(), socket) for socket in opened))


def script_with(*headers: tuple[str, str], status: int = 200, **others: Any) -> Change:
    return change(scripts=(answer(SCRIPT, status, *headers, **others),))


def csp(policy: str) -> tuple[str, str]:
    return ("content-security-policy", policy)


def named(session_id: str) -> Page:
    """A page whose token names this session."""
    head = urlsafe_b64encode(json.dumps({"session_id": session_id}).encode()).decode().rstrip("=")
    body = html().replace(b"abc.def", head.encode())
    return Page(answer(HOME.path, 200, HSTS, NO_STORE, body=body))


def unanswered(kind: str, detail: str) -> Change:
    """TLS fails, and so the page."""
    failure = Failure(kind, detail)
    return lambda evidence: replace(page_of(0, failure=failure, seen=None)(evidence), tls=Tls(failure=failure))


def redirected(location: str) -> Handshake:
    return Handshake(answer("/tools/board/ws", 302, ("location", location), seen=None))


FORBIDDEN = replace(CAME, refused="origin")
NO_STORE = ("cache-control", "no-store")
KEPT = ("cache-control", "max-age=31536000")
JS = ("content-type", "application/javascript; charset=utf-8")
PACKED = ("content-encoding", "gzip")
EMBEDDER = "https://site.test"
FOREIGN = ("access-control-allow-origin", "https://doctor.invalid")
READABLE = ("access-control-allow-origin", EMBEDDER)
EMBEDDED = Embedding(EMBEDDER, answer("/tools/board/autoload.js", 200, READABLE), handshake())


def of_another_server() -> Evidence:
    """What is seen of a server that does not know the doctor: the same without its word."""

    def deaf(thing: Any) -> Any:
        if hasattr(thing, "headers"):
            return replace(thing, headers=tuple(pair for pair in thing.headers if pair[0] != "app-server-doctor"))
        if hasattr(thing, "answer"):
            return replace(thing, answer=deaf(thing.answer))
        if isinstance(thing, Opening):
            return Opening(deaf(thing.page), deaf(thing.socket))
        return tuple(deaf(part) for part in thing) if isinstance(thing, tuple) else thing

    evidence = healthy()
    return replace(evidence, **{name: deaf(value) for name, value in vars(evidence).items()})


Case = tuple[str, Severity, Hop, Change]
"""What is found when healthy evidence is changed so: an id with a severity and a hop."""


def trip(case: Case) -> None:
    """Assert that this case is found and nothing else, and that it says what to change."""
    wanted, severity, hop, changed = case
    found = judge(changed(healthy()))
    assert [(finding.id, finding.severity, finding.hop) for finding in found] == [(wanted, severity, hop)]
    [finding] = found
    assert finding.seen and finding.why.endswith(".")
    for text in (finding.seen, *(remedy.how for remedy in finding.remedies)):
        assert not text.endswith("."), "the report adds that"
    if hop is Hop.PROXY and wanted not in ("tls-self-signed",):
        for proxy in ("nginx", "apache"):
            assert any(remedy.where == proxy for remedy in remedies_for(finding, proxy)), (wanted, proxy)


def names(cases: Iterable[Case]) -> list[str]:
    """What the cases are called in a report of tests."""
    return [f"{case[0]}-{number}" for number, case in enumerate(cases)]


def findings_of(module: ModuleType) -> set[str]:
    """The ids of the findings in a module of rules."""
    return set(re.findall(r'"([a-z0-9-]+)", Severity', Path(str(module.__file__)).read_text(encoding="utf-8")))
