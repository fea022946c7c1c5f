"""What the proxy tells the server about the browser, which headers can be forged, and whether answers are buffered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, server
from app_server.doctor.seen.evidence import Evidence
from app_server.protocol.doctor import TRICKLE_S, Seen


def _seen(evidence: Evidence) -> list[tuple[str, Seen]]:
    """What the server saw of the page and of its sockets, which may have a location of their own."""
    answers = [evidence.page.answer] if evidence.page is not None else []
    answers += [socket.answer for socket in evidence.sockets]
    return [(answer.target.path, answer.seen) for answer in answers if answer.seen is not None]


def host_is_kept(evidence: Evidence) -> Iterator[Finding]:
    """The server knows the host that the browser asked for."""
    target = evidence.page.answer.target if evidence.page is not None else evidence.target
    lost = [path for path, seen in _seen(evidence) if seen.host == "other"]
    without_port = [path for path, seen in _seen(evidence) if seen.host == "port"]
    if lost:
        yield Finding(
            "host-lost", Severity.ERROR, Hop.PROXY,
            f"for a request for {lost[0]} of {target.authority}, the server sees another Host",
            "Redirects, logins and links that the server writes lead to a host that browsers cannot reach.",
            (
                nginx("in every location that forwards to the server; one such line cancels all inherited ones",
                      f"proxy_set_header Host {_host_variable(target.authority)};"),
                apache("in the <VirtualHost>", "ProxyPreserveHost On"),
            ),
        )  # fmt: skip
    elif without_port:
        yield Finding(
            "host-port-lost", Severity.WARNING, Hop.PROXY,
            f"for a request for {without_port[0]} of {target.authority}, the server sees the Host with another port",
            "Redirects, logins and links that the server writes lead to a port where nothing may answer.",
            (
                nginx("in every location that forwards to the server", f"proxy_set_header Host {target.authority};"),
                apache("in the <VirtualHost>", "ProxyPreserveHost On"),
            ),
        )  # fmt: skip


def _host_variable(authority: str) -> str:
    """$host has no port: if there is one, the whole authority must be written out."""
    return authority if ":" in authority.rpartition("]")[2] else "$host"


def scheme_is_forwarded(evidence: Evidence) -> Iterator[Finding]:
    """The server knows that the browser came over TLS."""
    target = evidence.page.answer.target if evidence.page is not None else evidence.target
    if target.scheme != "https":
        return
    wrong = [(path, seen) for path, seen in _seen(evidence) if seen.scheme == "other"]
    if not wrong:
        return
    path, seen = wrong[0]
    why = "Logins, cookies and links are written for http://, and browsers refuse or lose them."
    if seen.proto == "same":
        yield Finding(
            "xheaders-off", Severity.ERROR, Hop.SERVER,
            f"for a request for {path} over TLS, the server assumes http:// although X-Forwarded-Proto says https", why,
            (server("make it trust its proxy", "--use-xheaders"),),
        )  # fmt: skip
    else:
        yield Finding(
            "scheme-lost", Severity.ERROR, Hop.PROXY,
            f"for a request for {path} over TLS, the server assumes http://: X-Forwarded-Proto: https is missing", why,
            (
                nginx("in every location that forwards to the server", "proxy_set_header X-Forwarded-Proto $scheme;"),
                apache("in the <VirtualHost>", 'RequestHeader set X-Forwarded-Proto "https"'),
                server("and make it trust its proxy", "--use-xheaders"),
            ),
        )  # fmt: skip


def client_is_forwarded(evidence: Evidence) -> Iterator[Finding]:
    """The server knows from which address the browser came."""
    seen = [found for _, found in _seen(evidence)]
    if not seen or evidence.proxy is None:
        return
    if any(finding.id == "xheaders-off" for finding in scheme_is_forwarded(evidence)):
        return
    why = "Logs name the proxy instead of the visitor, and limits per address apply to all visitors together."
    if any(found.client == "ignored" for found in seen):
        yield Finding(
            "xheaders-off", Severity.WARNING, Hop.SERVER,
            "the proxy names the visitor's address, but the server ignores it", why,
            (server("make it trust its proxy", "--use-xheaders"),),
        )  # fmt: skip
    elif any(found.client == "none" for found in seen):
        yield Finding(
            "client-lost", Severity.WARNING, Hop.PROXY, "the proxy does not name the visitor's address", why,
            (
                nginx("in every location that forwards to the server", "proxy_set_header X-Forwarded-For $remote_addr;",
                      "proxy_set_header X-Real-IP $remote_addr;"),
                apache("in the <VirtualHost>", "ProxyAddHeaders On"),
            ),
        )  # fmt: skip


def forgeries_are_dropped(evidence: Evidence) -> Iterator[Finding]:
    """Visitors cannot forge the proxy's headers."""
    honest = evidence.honest.seen if evidence.honest is not None else None
    forged = evidence.spoofed.seen if evidence.spoofed is not None else None
    if honest is None or forged is None:
        return
    believed = []
    if forged.address == "claimed":
        believed.append("an address (X-Forwarded-For, X-Real-IP)")
    if honest.scheme == "same" and forged.scheme == "other":
        believed.append("a scheme (X-Scheme, X-Forwarded-Proto)")
    if not believed:
        return
    if evidence.proxy is None and honest.client == "none":
        yield Finding(
            "forgery-believed", Severity.ERROR, Hop.SERVER,
            f"the server trusts visitors who claim {' and '.join(believed)}; there seems to be no proxy",
            "Visitors can impersonate others.",
            (server("without a proxy, remove the flag", "--use-xheaders"),),
        )  # fmt: skip
        return
    yield Finding(
        "forgery-believed", Severity.ERROR, Hop.PROXY,
        f"the proxy forwards what a visitor claims: {' and '.join(believed)}", "Visitors can impersonate others.",
        (
            nginx("in every location that forwards to the server", "proxy_set_header X-Forwarded-For $remote_addr;",
                  "proxy_set_header X-Real-IP $remote_addr;", "proxy_set_header X-Forwarded-Proto $scheme;",
                  'proxy_set_header X-Scheme "";', 'proxy_set_header Forwarded "";'),
            apache("in the <VirtualHost>; `early` runs it before the proxy adds its own",
                   "RequestHeader unset X-Forwarded-For early", "RequestHeader unset X-Real-IP early",
                   "RequestHeader unset X-Scheme early", "RequestHeader unset Forwarded early",
                   f'RequestHeader set X-Forwarded-Proto "{evidence.target.scheme}"'),
        ),
    )  # fmt: skip


def answers_are_passed_on_at_once(evidence: Evidence) -> Iterator[Finding]:
    """What the server sends in parts arrives in parts."""
    answer = evidence.trickle
    if answer is None or answer.seen is None or answer.status != 200 or not answer.arrivals:
        return
    if answer.spread_s < TRICKLE_S / 3:
        yield Finding(
            "buffering-on", Severity.WARNING, Hop.PROXY,
            f"an answer that the server sent over {TRICKLE_S:g} s arrived within {answer.spread_s:.2f} s",
            "What an application sends bit by bit arrives late, and large answers wait in the proxy's memory or on its"
            " disk.",
            (
                nginx("in the location that forwards to the server", "proxy_buffering off;"),
                apache("for what is forwarded to the server, remove filters that wait for whole lines or answers",
                       "SetOutputFilter SUBSTITUTE", "SetOutputFilter SED"),
            ),
        )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (
    host_is_kept,
    scheme_is_forwarded,
    client_is_forwarded,
    forgeries_are_dropped,
    answers_are_passed_on_at_once,
)
