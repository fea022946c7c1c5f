"""Whether the host is found and answers, and whether http:// leads to https://."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, isolated, nginx, server
from app_server.doctor.seen.evidence import Evidence


def name_is_known(evidence: Evidence) -> Iterator[Finding]:
    """The host's name leads to an address."""
    if evidence.name_failure is not None:
        yield Finding(
            "name-unknown", Severity.ERROR, Hop.NAME,
            f"the name {evidence.target.host}: {evidence.name_failure}",
            "No browser finds the host.",
            (isolated("DNS", f"add an A or AAAA record for {evidence.target.host}, or correct the address"),),
        )  # fmt: skip


def addresses_answer(evidence: Evidence) -> Iterator[Finding]:
    """Somebody listens at every address of the name."""
    failed = [place for place in evidence.reach if place.failure is not None]
    port = evidence.target.port
    if failed and len(failed) == len(evidence.reach):
        yield Finding(
            "unreachable", Severity.ERROR, Hop.SERVER if evidence.target.is_local else Hop.PROXY,
            f"nothing answers at port {port}: " + ", ".join(f"{place.address}: {place.failure}" for place in failed),
            "The page cannot be opened.",
            (
                server("start it, if it is to listen there itself", f"app-server serve --port {port} …"),
                nginx("else start nginx, and have it listen there", f"listen {port};"),
                apache("else start Apache, and have it listen there", f"Listen {port}"),
                isolated("firewall", f"let port {port} through"),
            ),
        )  # fmt: skip
    elif failed and not evidence.target.is_local:
        shown = ", ".join(f"{place.address} ({place.failure})" for place in failed)
        yield Finding(
            "address-dead", Severity.WARNING, Hop.NAME,
            f"the name {evidence.target.host} leads to {shown} too, where nothing answers at port {port}",
            "Some browsers try that address first, and wait.",
            (
                isolated("DNS", f"take {', '.join(place.address for place in failed)} out of the host's records"),
                nginx("or listen there too", f"listen [::]:{port};"),
                apache("or listen there too", f"Listen [::]:{port}"),
            ),
        )  # fmt: skip


def http_leads_to_https(evidence: Evidence) -> Iterator[Finding]:
    """What is typed without https:// ends there all the same, at the same host and page."""
    answer, target = evidence.plain, evidence.target
    if answer is None:
        return
    remedies = (
        nginx(
            "in a server of its own for port 80",
            "listen 80;", f"server_name {target.host};", f"return 308 {target.origin}$request_uri;",
        ),
        apache("in a <VirtualHost *:80> of its own", f"Redirect permanent / {target.origin}/"),
    )  # fmt: skip
    where = f"http://{target.host} on port {answer.target.port}"
    if answer.failure is not None:
        yield Finding(
            "redirect-missing", Severity.WARNING, Hop.PROXY,
            f"{where}: {answer.failure}", "Who types the name without https:// may get no page.", remedies,
        )  # fmt: skip
        return
    location = answer.header("location") if 300 <= answer.status < 400 else None
    if location is None:
        yield Finding(
            "redirect-missing", Severity.ERROR, Hop.PROXY,
            f"{where} answers {answer.status} rather than leading to https://",
            "Pages, tokens and passwords travel readable for everybody on the way.", remedies,
        )  # fmt: skip
        return
    following = answer.target.follow(location)
    if following is None or (following.scheme, following.host, following.path) != ("https", target.host, target.path):
        yield Finding(
            "redirect-wrong", Severity.ERROR, Hop.PROXY,
            f"{where}{answer.target.path} leads to {location!r}, not to {target.url}",
            "Who types the name without https:// ends somewhere else.", remedies,
        )  # fmt: skip


def redirects_end(evidence: Evidence) -> Iterator[Finding]:
    """Redirects lead to a page, not in a circle."""
    page = evidence.page
    if page is None or not evidence.redirects or not 300 <= page.answer.status < 400:
        return
    target = page.answer.target
    location = page.answer.header("location") or ""
    following = target.follow(location) if location else None
    if following is not None and following.host != target.host:
        return  # to another host, such as that of a login: told by the page's rules
    yield Finding(
        "redirect-loop", Severity.ERROR, Hop.PROXY,
        f"after {len(evidence.redirects)} redirects {target.url} leads on to {location!r}",
        "No browser gets to a page.",
        (
            nginx("redirect in the server of port 80 alone, and tell the server what the browser used",
                  "proxy_set_header X-Forwarded-Proto $scheme;"),
            apache("redirect in the <VirtualHost> of port 80 alone, and tell the server what the browser used",
                   'RequestHeader set X-Forwarded-Proto "https"'),
        ),
    )  # fmt: skip


def tls_is_used(evidence: Evidence) -> Iterator[Finding]:
    """What leaves this machine is encrypted."""
    page = evidence.page
    target = page.answer.target if page is not None else evidence.target
    if target.scheme == "http" and page is not None and page.token and not target.is_local:
        yield Finding(
            "tls-missing", Severity.WARNING, Hop.PROXY,
            f"{target.origin} gives out the page without TLS",
            "Everybody on the way can read the session's token, and take the session over.",
            (
                nginx("serve it over TLS", "listen 443 ssl;", "ssl_certificate …;", "ssl_certificate_key …;"),
                apache("serve it over TLS", "SSLEngine on", "SSLCertificateFile …", "SSLCertificateKeyFile …"),
            ),
        )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (
    name_is_known,
    addresses_answer,
    http_leads_to_https,
    redirects_end,
    tls_is_used,
)
