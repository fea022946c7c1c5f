"""Whether the host is found and answers, and whether http:// leads to https://."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, remedy, server
from app_server.doctor.seen.evidence import Evidence


def name_is_known(evidence: Evidence) -> Iterator[Finding]:
    """The host's name resolves to an address."""
    if evidence.name_failure is not None:
        yield Finding(
            "name-unknown", Severity.ERROR, Hop.NAME,
            f"the name {evidence.target.host}: {evidence.name_failure}",
            "Browsers cannot find the host.",
            (remedy("DNS", f"add an A or AAAA record for {evidence.target.host}, or correct the address"),),
        )  # fmt: skip


def addresses_answer(evidence: Evidence) -> Iterator[Finding]:
    """A server listens at every address of the name."""
    failed = [place for place in evidence.reach if place.failure is not None]
    port = evidence.target.port
    if failed and len(failed) == len(evidence.reach):
        yield Finding(
            "unreachable", Severity.ERROR, Hop.SERVER if evidence.target.is_local else Hop.PROXY,
            f"nothing answers at port {port}: " + ", ".join(f"{place.address}: {place.failure}" for place in failed),
            "The page cannot be opened.",
            (
                server("start it, if there is no proxy", f"app-server serve --port {port} …"),
                nginx("else start nginx, and make it listen there", f"listen {port};"),
                apache("else start Apache, and make it listen there", f"Listen {port}"),
                remedy("firewall", f"open port {port}"),
            ),
        )  # fmt: skip
    elif failed and not evidence.target.is_local:
        shown = ", ".join(f"{place.address} ({place.failure})" for place in failed)
        yield Finding(
            "address-dead", Severity.WARNING, Hop.NAME,
            f"the name {evidence.target.host} also resolves to {shown}, where nothing answers at port {port}",
            "Some browsers try that address first and have to wait.",
            (
                remedy("DNS", f"remove {', '.join(place.address for place in failed)} from the host's records"),
                nginx("or listen there as well", f"listen [::]:{port};"),
                apache("or listen there as well", f"Listen [::]:{port}"),
            ),
        )  # fmt: skip


def http_leads_to_https(evidence: Evidence) -> Iterator[Finding]:
    """An address without https:// redirects to https://, at the same host and page."""
    answer, target = evidence.plain, evidence.target
    if answer is None:
        return
    remedies = (
        nginx(
            "in a separate server block for port 80",
            "listen 80;", f"server_name {target.host};", f"return 308 {target.origin}$request_uri;",
        ),
        apache("in a separate <VirtualHost *:80>", f"Redirect permanent / {target.origin}/"),
    )  # fmt: skip
    where = f"http://{target.host} on port {answer.target.port}"
    if answer.failure is not None:
        yield Finding(
            "redirect-missing", Severity.WARNING, Hop.PROXY,
            f"{where}: {answer.failure}", "Users who type the name without https:// may get no page.", remedies,
        )  # fmt: skip
        return
    location = answer.header("location") if 300 <= answer.status < 400 else None
    if location is None:
        yield Finding(
            "redirect-missing", Severity.ERROR, Hop.PROXY,
            f"{where} answers {answer.status} instead of redirecting to https://",
            "Anyone on the network path can read pages, tokens and passwords.", remedies,
        )  # fmt: skip
        return
    following = answer.target.follow(location)
    if following is None or (following.scheme, following.host, following.path) != ("https", target.host, target.path):
        yield Finding(
            "redirect-wrong", Severity.ERROR, Hop.PROXY,
            f"{where}{answer.target.path} redirects to {location!r}, not to {target.url}",
            "Users who type the name without https:// end up somewhere else.", remedies,
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
        return  # to another host, such as a login: the page's rules report it
    yield Finding(
        "redirect-loop", Severity.ERROR, Hop.PROXY,
        f"after {len(evidence.redirects)} redirects, {target.url} redirects to {location!r}",
        "Browsers never reach a page.",
        (
            nginx("redirect only in the server block of port 80, and tell the server which scheme the browser used",
                  "proxy_set_header X-Forwarded-Proto $scheme;"),
            apache("redirect only in the <VirtualHost> of port 80, and tell the server which scheme the browser used",
                   'RequestHeader set X-Forwarded-Proto "https"'),
        ),
    )  # fmt: skip


def tls_is_used(evidence: Evidence) -> Iterator[Finding]:
    """Traffic that leaves this machine is encrypted."""
    page = evidence.page
    target = page.answer.target if page is not None else evidence.target
    if target.scheme == "http" and page is not None and page.token and not target.is_local:
        yield Finding(
            "tls-missing", Severity.WARNING, Hop.PROXY,
            f"{target.origin} serves the page without TLS",
            "Anyone on the network path can read the session's token and take over the session.",
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
