"""Each rule: evidence that trips it, and evidence that must not."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import app_server.deployment.doctor.rules as rules_package
from app_server.deployment.doctor.evidence import (
    Embedding,
    Evidence,
    Failure,
    Handshake,
    Idle,
    Opening,
    Page,
    Reach,
    Tls,
)
from app_server.deployment.doctor.finding import Hop, Severity
from app_server.deployment.doctor.report import remedies_for
from app_server.deployment.doctor.rules import judge
from tests.unit.deployment.doctor.making import (
    CAME,
    DAY_S,
    HOME,
    HSTS,
    NOW,
    SCRIPT,
    SCRIPTS,
    SEEN,
    TIMEOUT,
    answer,
    handshake,
    healthy,
    html,
    opening,
    page,
    refused,
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

# What is changed in healthy evidence, and what is found then: ids with a severity and a hop.
TRIPPED: list[tuple[str, Severity, Hop, Change]] = [
    ("name-unknown", Severity.ERROR, Hop.NAME,
     lambda _: Evidence(HOME, name_failure=Failure("name", "the name is not known"))),
    ("unreachable", Severity.ERROR, Hop.PROXY,
     lambda _: Evidence(HOME, reach=(Reach("203.0.113.5", Failure("refused", "the connection was refused")),))),
    ("address-dead", Severity.WARNING, Hop.NAME, change(reach=(Reach("203.0.113.5"), Reach("2001:db8::5", TIMEOUT)))),
    ("redirect-missing", Severity.ERROR, Hop.PROXY,
     change(plain=answer(target=replace(HOME, scheme="http", port=80), status=200))),
    ("redirect-missing", Severity.WARNING, Hop.PROXY,
     change(plain=answer(target=replace(HOME, scheme="http", port=80), status=0, failure=TIMEOUT))),
    ("redirect-wrong", Severity.ERROR, Hop.PROXY,
     change(plain=answer(HOME.path, 301, ("location", "https://app.test/"),
                         target=replace(HOME, scheme="http", port=80)))),
    ("redirect-wrong", Severity.ERROR, Hop.PROXY,
     change(plain=answer(HOME.path, 301, ("location", "http://app.test/tools/board"),
                         target=replace(HOME, scheme="http", port=80)))),
    ("redirect-loop", Severity.ERROR, Hop.PROXY,
     lambda evidence: replace(page_of(301, headers=(("location", "/tools/board"), HSTS))(evidence),
                              redirects=(answer(status=301),) * 8)),
    ("tls-missing", Severity.WARNING, Hop.PROXY, on_http),
    ("tls-failed", Severity.ERROR, Hop.PROXY, change(tls=Tls(failure=Failure("tls", "TLS failed: wrong version")))),
    ("tls-name-unknown", Severity.ERROR, Hop.PROXY, unanswered("tls-name", "TLS failed: tlsv1 unrecognized name")),
    ("tls-client-certificate", Severity.ERROR, Hop.PROXY, unanswered("tls-client", "TLS failed: certificate required")),
    ("tls-failed", Severity.ERROR, Hop.PROXY, unanswered("tls", "TLS failed: wrong version number")),
    ("tls-expired", Severity.ERROR, Hop.PROXY, tls(trust_code=10, trust_reason="certificate has expired")),
    ("tls-expired", Severity.ERROR, Hop.PROXY, tls(trust_code=9, trust_reason="certificate is not yet valid")),
    ("tls-self-signed", Severity.ERROR, Hop.PROXY, tls(trust_code=18, trust_reason="self-signed", chain_length=1)),
    ("tls-chain-incomplete", Severity.ERROR, Hop.PROXY, tls(trust_code=20, chain_length=1)),
    ("tls-untrusted", Severity.ERROR, Hop.PROXY, tls(trust_code=20, chain_length=2)),
    ("tls-untrusted", Severity.ERROR, Hop.PROXY, tls(trust_code=19, chain_length=2)),
    ("tls-name", Severity.ERROR, Hop.PROXY, tls(name_reason="hostname mismatch")),
    ("tls-expires-soon", Severity.WARNING, Hop.PROXY, tls(not_after=NOW + 3 * DAY_S)),
    ("tls-old", Severity.WARNING, Hop.PROXY, tls(old_versions=("TLSv1", "TLSv1.1"))),
    ("tls-13-missing", Severity.NOTE, Hop.PROXY, tls(has_tls13=False, version="TLSv1.2")),
    ("hsts-missing", Severity.WARNING, Hop.PROXY, page_with(("cache-control", "no-store"))),
    ("hsts-short", Severity.NOTE, Hop.PROXY,
     page_with(("cache-control", "no-store"), ("strict-transport-security", "max-age=300"))),
    ("hsts-short", Severity.NOTE, Hop.PROXY,
     page_with(("cache-control", "no-store"), ("strict-transport-security", "includeSubDomains"))),
    ("page-failed", Severity.ERROR, Hop.PROXY, page_of(0, failure=TIMEOUT, seen=None)),
    ("server-down", Severity.ERROR, Hop.SERVER, page_of(502, seen=None)),
    ("login-required", Severity.WARNING, Hop.SERVER, page_of(403)),
    ("page-elsewhere", Severity.WARNING, Hop.SERVER, page_of(302, headers=(("location", "https://login.test/"), HSTS))),
    ("login-required", Severity.WARNING, Hop.SERVER,
     page_of(200, headers=(HSTS,), body=b'<form><input type="password"></form>')),
    ("prefix-missing", Severity.ERROR, Hop.SERVER, page_of(404, seen=replace(SEEN, place="elsewhere"))),
    ("page-missing", Severity.ERROR, Hop.SERVER, page_of(404)),
    ("page-missing", Severity.ERROR, Hop.PROXY, page_of(404, seen=None)),
    ("application-failed", Severity.ERROR, Hop.SERVER, page_of(500)),
    ("page-foreign", Severity.ERROR, Hop.PROXY, page_of(200, headers=(HSTS,), seen=None, body=b"<h1>It works</h1>")),
    ("page-refused", Severity.ERROR, Hop.PROXY, page_of(418, seen=None)),
    ("prefix-stripped", Severity.ERROR, Hop.PROXY,
     lambda evidence: replace(evidence, page=page(replace(SEEN, path="other")), scripts=(answer(SCRIPT, 404),))),
    ("page-cached", Severity.ERROR, Hop.PROXY, page_with(HSTS, ("cache-control", "public, max-age=600"))),
    ("page-cached", Severity.ERROR, Hop.PROXY, page_with(HSTS)),
    ("page-cached", Severity.WARNING, Hop.PROXY, page_with(HSTS, ("cache-control", "max-age=600"))),
    ("session-shared", Severity.ERROR, Hop.PROXY,
     change(page=named("s"), openings=(Opening(named("s"), handshake()),))),
    ("session-shared", Severity.ERROR, Hop.PROXY, change(own_scripts=(named("s").answer, named("s").answer))),
    ("page-type", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, ("content-type", "text/plain; charset=utf-8"))),
    ("page-type", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, ("content-disposition", "attachment"))),
    ("csp-blocks", Severity.ERROR, Hop.PROXY, page_with(HSTS, NO_STORE, csp("default-src 'none'"))),
    ("csp-narrow", Severity.WARNING, Hop.PROXY,
     page_with(HSTS, NO_STORE, csp("script-src 'self' 'unsafe-inline'; connect-src wss://app.test"))),
    ("server-unknown", Severity.NOTE, Hop.SERVER, lambda _: _of_another_server()),
    ("bokehjs-missing", Severity.ERROR, Hop.PROXY, script_with(status=404, seen=None)),
    ("bokehjs-missing", Severity.ERROR, Hop.SERVER, script_with(status=404)),
    ("bokehjs-type", Severity.WARNING, Hop.PROXY, script_with(("content-type", "text/plain"), PACKED, KEPT)),
    ("bokehjs-type", Severity.ERROR, Hop.PROXY,
     script_with(("content-type", "text/plain"), ("x-content-type-options", "nosniff"), PACKED, KEPT)),
    ("mixed-content", Severity.ERROR, Hop.SERVER,
     change(page=Page(answer(HOME.path, 200, HSTS, ("cache-control", "no-store"),
                             body=html(script="http://app.test/static/js/bokeh.min.js"))))),
    ("static-uncompressed", Severity.WARNING, Hop.PROXY,
     script_with(JS, KEPT, ("content-length", "1200000"), seen=None)),
    ("static-uncompressed", Severity.WARNING, Hop.SERVER, script_with(JS, KEPT)),
    ("static-uncached", Severity.NOTE, Hop.PROXY, script_with(JS, PACKED, seen=None)),
    ("static-uncached", Severity.WARNING, Hop.PROXY,
     lambda evidence: replace(script_with(JS, PACKED, seen=None)(evidence), scripts_again=(answer(SCRIPT, 200),))),
    ("static-uncached", Severity.NOTE, Hop.SERVER, script_with(JS, PACKED, ("cache-control", "no-cache"))),
    ("static-captured", Severity.ERROR, Hop.PROXY, change(beside_static=answer("/tools/static-x", 404, seen=None))),
    ("static-captured", Severity.ERROR, Hop.PROXY, change(own_static=answer("/tools/board/static/x", 404, seen=None))),
    ("extensions-captured", Severity.WARNING, Hop.PROXY, change(extensions=answer("/tools/static/e", 404, seen=None))),
    ("upgrade-lost", Severity.ERROR, Hop.PROXY, sockets(refused(400), refused(400))),
    ("upgrade-lost", Severity.ERROR, Hop.PROXY, sockets(refused(426, None), refused(426, None))),
    ("origin-refused", Severity.ERROR, Hop.SERVER, sockets(refused(403, FORBIDDEN), refused(403, FORBIDDEN))),
    ("origin-changed", Severity.ERROR, Hop.PROXY, sockets(refused(403, replace(FORBIDDEN, origin="other")))),
    ("socket-denied", Severity.ERROR, Hop.SERVER, sockets(refused(403, replace(CAME, refused="login")))),
    ("socket-denied", Severity.ERROR, Hop.SERVER, sockets(refused(403, replace(CAME, refused="owner", origin="none")))),
    ("socket-denied", Severity.ERROR, Hop.PROXY, sockets(refused(401, None), handshake())),
    ("socket-denied", Severity.ERROR, Hop.PROXY, sockets(refused(403, None), refused(403, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(404, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(200, None))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(refused(404, replace(CAME, path="other")))),
    ("socket-path", Severity.ERROR, Hop.PROXY, sockets(redirected("/login"))),
    ("socket-path", Severity.ERROR, Hop.SERVER, sockets(refused(404, CAME))),
    ("socket-limited", Severity.ERROR, Hop.PROXY, sockets(handshake(), refused(429, None))),
    ("token-refused", Severity.ERROR, Hop.SERVER,
     sockets(handshake(greeting=None, close_code=1008, close_reason="the token is not signed"), handshake())),
    ("application-failed", Severity.ERROR, Hop.SERVER, sockets(handshake(greeting=None, close_code=1011))),
    ("socket-failed", Severity.ERROR, Hop.PROXY, sockets(refused(500, CAME))),
    ("socket-failed", Severity.ERROR, Hop.PROXY, sockets(handshake(greeting=None, failure=TIMEOUT))),
    ("document-lost", Severity.ERROR, Hop.PROXY, sockets(handshake(), handshake(pulled_bytes=None))),
    ("foreign-origin-accepted", Severity.ERROR, Hop.SERVER, change(foreign=handshake())),
    ("foreign-origin-accepted", Severity.ERROR, Hop.PROXY,
     change(foreign=replace(handshake(), answer=answer("/ws", 101, seen=replace(CAME, origin="none"))))),
    ("foreign-origin-accepted", Severity.ERROR, Hop.SERVER,
     change(foreign_script=answer("/autoload.js", 200, FOREIGN, seen=CAME))),
    ("header-buffers-small", Severity.ERROR, Hop.PROXY, change(large_token=refused(400, None))),
    ("header-buffers-small", Severity.ERROR, Hop.PROXY,
     change(large_token=refused(0, None, failure=Failure("closed", "the connection was cut")))),
    ("read-timeout", Severity.ERROR, Hop.PROXY, change(idle=Idle(6.5, 5.0, "the connection was closed"))),
    ("read-timeout", Severity.ERROR, Hop.PROXY, change(idle=Idle(70, 60.0, "the connection was cut", None, 1))),
    ("server-stopped", Severity.NOTE, Hop.SERVER, change(idle=Idle(6.5, 2.0, "a Close frame came", 1001))),
    ("embedding-refused", Severity.ERROR, Hop.SERVER,
     change(embeddings=(replace(EMBEDDED, script=answer("/autoload.js", 403)),))),
    ("embedding-refused", Severity.ERROR, Hop.PROXY,
     change(embeddings=(replace(EMBEDDED, script=answer("/autoload.js", 200)),))),
    ("embedding-refused", Severity.ERROR, Hop.SERVER,
     change(embeddings=(replace(EMBEDDED, socket=refused(403, CAME)),))),
    ("embedding-files-refused", Severity.ERROR, Hop.PROXY,
     change(embeddings=(EMBEDDED,),
            scripts=(replace(SCRIPTS, headers=(*SCRIPTS.headers, ("cross-origin-resource-policy", "same-origin"))),))),
    ("host-lost", Severity.ERROR, Hop.PROXY, all_seen(host="other")),
    ("host-port-lost", Severity.WARNING, Hop.PROXY, all_seen(host="port")),
    ("xheaders-off", Severity.ERROR, Hop.SERVER, all_seen(scheme="other", proto="same", client="ignored")),
    ("xheaders-off", Severity.WARNING, Hop.SERVER, all_seen(client="ignored")),
    ("scheme-lost", Severity.ERROR, Hop.PROXY, all_seen(scheme="other", proto="none")),
    ("client-lost", Severity.WARNING, Hop.PROXY, all_seen(client="none")),
    ("forgery-believed", Severity.ERROR, Hop.PROXY, change(spoofed=answer(seen=replace(SEEN, address="claimed")))),
    ("forgery-believed", Severity.ERROR, Hop.PROXY, change(spoofed=answer(seen=replace(SEEN, scheme="other")))),
    ("buffering-on", Severity.WARNING, Hop.PROXY,
     change(trickle=answer("/tools/healthz?trickle", arrivals=(1.01,), whole_s=1.02))),
    ("affinity-missing", Severity.ERROR, Hop.PROXY, change(openings=(opening(), opening(SEEN, OTHER)))),
    ("affinity-missing", Severity.ERROR, Hop.SERVER,
     change(openings=(opening(route=None), opening(SEEN, OTHER, route=None)))),
    ("route-shared", Severity.ERROR, Hop.SERVER, change(openings=(opening(), opening(OTHER)))),
    ("instance-down", Severity.ERROR, Hop.SERVER,
     change(openings=(opening(), opening(), Opening(Page(answer(status=502, seen=None)))))),
    ("instance-down", Severity.ERROR, Hop.SERVER, change(failed_pages=(answer(status=504, seen=None),))),
    ("instance-down", Severity.ERROR, Hop.SERVER, change(instances_expected=2)),
    ("opening-slow", Severity.WARNING, Hop.PROXY,
     change(openings=(opening(), opening(), opening(whole_s=3.0)))),
]  # fmt: skip


def _of_another_server() -> Evidence:
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


def test_nothing_is_found_where_all_is_well() -> None:
    assert judge(healthy()) == []


@pytest.mark.parametrize(
    ("wanted", "severity", "hop", "changed"), TRIPPED,
    ids=[f"{case[0]}-{number}" for number, case in enumerate(TRIPPED)],
)
def test_rule_is_tripped_alone(wanted: str, severity: Severity, hop: Hop, changed: Change) -> None:
    found = judge(changed(healthy()))
    assert [(finding.id, finding.severity, finding.hop) for finding in found] == [(wanted, severity, hop)]
    [finding] = found
    assert finding.seen and finding.why.endswith(".")
    for text in (finding.seen, *(remedy.how for remedy in finding.remedies)):
        assert not text.endswith("."), "the report adds that"


def test_every_finding_has_a_case() -> None:
    folder = Path(rules_package.__file__).parent
    named = {
        found
        for path in folder.glob("*.py")
        for found in re.findall(r'"([a-z0-9-]+)", Severity', path.read_text(encoding="utf-8"))
    }
    assert named == {case[0] for case in TRIPPED}


def test_manual_names_every_finding() -> None:
    page = (Path(__file__).parents[4] / "docs" / "doctor.md").read_text(encoding="utf-8")
    table = page.partition("## What it looks at")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", table)) == {case[0] for case in TRIPPED}


def test_proxy_at_fault_is_told_the_line_for_nginx_and_for_apache() -> None:
    for wanted, _, hop, changed in TRIPPED:
        [finding] = judge(changed(healthy()))
        if hop is Hop.PROXY and wanted not in ("tls-self-signed",):
            for proxy in ("nginx", "apache"):
                assert any(remedy.where == proxy for remedy in remedies_for(finding, proxy)), (wanted, proxy)


@pytest.mark.parametrize(
    "changed",
    [
        change(plain=None),
        change(plain=None, reach=(Reach("127.0.0.1"), Reach("::1", TIMEOUT)), target=replace(HOME, host="localhost")),
        tls(not_after=NOW + 20 * DAY_S),
        tls(not_before=NOW - 2 * DAY_S, not_after=NOW + 4 * DAY_S),  # a certificate of six days
        script_with(JS, PACKED, ("cache-control", "max-age=31536000"), seen=None),
        script_with(JS, KEPT, ("content-length", "500")),
        page_with(HSTS, ("cache-control", "private, no-cache")),
        change(beside_static=answer("/x", 404, seen=None), missing=answer("/y", 404, seen=None)),
        change(foreign=refused(502, None)),
        change(beside_static=answer("/x", 502, seen=None), own_static=answer("/y", 0, seen=None, failure=TIMEOUT)),
        change(large_token=refused(403, CAME)),
        change(idle=Idle(70, 70, None, None, 1)),
        change(idle=None),
        change(embeddings=(EMBEDDED,)),
        change(trickle=answer("/tools/healthz", 404, seen=None)),
        change(instances_expected=1),
        change(openings=(opening(), opening(OTHER, route="b"))),
        change(openings=(opening(whole_s=3.0), opening(whole_s=3.0), opening(whole_s=3.5))),
        change(page=page(replace(SEEN, path="other"))),
        change(foreign_script=answer("/autoload.js", 200, ("access-control-allow-origin", EMBEDDER))),
        change(page=named("s"), openings=(Opening(named("t"), handshake()), Opening(named("u"), handshake()))),
        change(page=named("s"), openings=(Opening(named("s"), handshake()),), names_session=True),
        change(own_scripts=(named("s").answer, named("t").answer)),
        page_with(HSTS, NO_STORE, ("content-type", "text/html; charset=utf-8"), ("content-disposition", "inline")),
        page_with(HSTS, NO_STORE, csp("frame-ancestors 'self'"), csp("upgrade-insecure-requests, img-src 'none'")),
        lambda evidence: replace(
            page_with(NO_STORE)(evidence), tls=replace(evidence.tls or Tls(), issuer="app-server, for development only")
        ),
    ],
    ids=lambda changed: "",
)
def test_rule_is_not_tripped(changed: Change) -> None:
    assert judge(changed(healthy())) == []


def test_the_worst_comes_first() -> None:
    evidence = tls(has_tls13=False, version="TLSv1.2")(all_seen(host="other", client="ignored")(healthy()))
    severities = [finding.severity for finding in judge(evidence)]
    assert severities == [Severity.ERROR, Severity.WARNING, Severity.NOTE]


def test_untrusted_certificate_hides_no_wrong_name_and_wants_no_hsts() -> None:
    evidence = tls(trust_code=20, chain_length=1, name_reason="hostname mismatch")(page_with(NO_STORE)(healthy()))
    assert [finding.id for finding in judge(evidence)] == ["tls-chain-incomplete", "tls-name"]


def test_server_that_does_not_know_the_doctor_refuses_origins() -> None:
    evidence = _of_another_server()
    refused_socket = Handshake(replace(refused(403, None).answer, headers=()))
    evidence = replace(evidence, openings=(Opening(evidence.openings[0].page, refused_socket),))
    assert [finding.id for finding in judge(evidence)] == ["origin-refused", "server-unknown"]


def test_nobody_at_this_machine_is_the_server_that_does_not_run() -> None:
    target = replace(HOME, scheme="http", host="localhost", port=5006)
    [finding] = judge(Evidence(target, reach=(Reach("127.0.0.1", Failure("refused", "the connection was refused")),)))
    assert (finding.id, finding.hop) == ("unreachable", Hop.SERVER)
    assert finding.remedies[0].lines == ("app-server serve --port 5006 …",)


def test_forgery_without_a_proxy_is_the_servers() -> None:
    seen = replace(SEEN, client="none", proto="none")

    def bare(thing: Any) -> Any:
        return replace(thing, headers=tuple(pair for pair in thing.headers if pair[0] != "server"))

    forged = bare(answer(seen=replace(seen, address="claimed")))
    evidence = Evidence(HOME, honest=bare(answer(seen=seen)), spoofed=forged)
    [finding] = judge(evidence)
    assert (finding.id, finding.hop) == ("forgery-believed", Hop.SERVER)
    assert [remedy.lines for remedy in finding.remedies] == [("--use-xheaders",)]


def test_port_of_the_host_is_spelt_out_for_nginx() -> None:
    target = replace(HOME, port=8443)
    seen = replace(SEEN, host="other")
    [finding] = judge(replace(healthy(), target=target, page=page(seen, target=target)))
    assert "proxy_set_header Host app.test:8443;" in finding.remedies[0].lines
