"""The page: whether it exists, belongs to an application, and only to its visitor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Remedy, Rule, Severity, apache, nginx, remedy, server
from app_server.doctor.seen.answers import FAILED_BEHIND
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Page

_LOGIN = remedy(
    "app-server doctor",
    "log it in, with the cookie of a logged-in user, or with name and password in the address",
    "--header 'Cookie: …'",
)  # fmt: skip


def page_is_there(evidence: Evidence) -> Iterator[Finding]:
    """The address answers with an application's page."""
    page = evidence.page
    if page is None or page.token is not None:
        return
    answer, host = page.answer, evidence.target.host
    if evidence.tls_failure is not None:
        return  # which the rules of TLS report
    if answer.failure is not None:
        silent = answer.failure.kind == "empty"
        yield Finding(
            "page-failed", Severity.ERROR, Hop.PROXY, f"{answer.target.url}: {answer.failure}", "There is no page.",
            (
                *((nginx("another server block may have received the request and closed it; name the host in"
                         " yours", f"server_name {host};"),) if silent else ()),
                nginx("error_log says more; for timeouts of the server behind it", "proxy_connect_timeout 3s;"),
                apache("ErrorLog says more"),
                server("or the application is slow to start: its log says how long it takes"),
            ),
        )  # fmt: skip
    elif answer.status in FAILED_BEHIND:
        yield Finding(
            "server-down", Severity.ERROR, Hop.SERVER,
            f"the proxy answers {answer.status}: it cannot reach an application server", "There is no page.",
            (
                server("start it on the port that the proxy expects", "app-server serve --port …"),
                nginx("or correct the address", "proxy_pass http://127.0.0.1:5006;"),
                apache("or correct the address", "BalancerMember http://127.0.0.1:5006"),
            ),
        )  # fmt: skip
    elif (away := _leads_away(page)) is not None:
        yield Finding(
            "page-elsewhere", Severity.WARNING, Hop.SERVER,
            f"{answer.target.url} redirects to another host, {away}, which the doctor does not follow",
            "Checks that need a session were skipped.",
            (remedy("app-server doctor", "use the new address; or, if it is a login,"), _LOGIN),
        )  # fmt: skip
    elif answer.status in (401, 403) or _asks_for_password(page):
        yield Finding(
            "login-required", Severity.WARNING, Hop.SERVER,
            f"{evidence.target.url} requires a login",
            "Checks that need a session were skipped.", (_LOGIN,),
        )  # fmt: skip
    elif answer.status == 404:
        yield _missing(evidence, page)
    elif answer.status >= 500:
        yield Finding(
            "application-failed", Severity.ERROR, Hop.SERVER, f"the page answers {answer.status}",
            "The application does not start.", (server("its log has the traceback"),),
        )  # fmt: skip
    elif answer.status == 200:
        yield Finding(
            "page-foreign", Severity.ERROR, Hop.PROXY,
            f"{answer.target.url} is a page, but not of an application: it has no session token",
            "Checks that need a session were skipped. It may be a login page, a list of applications, or another site.",
            (
                remedy("app-server doctor", "use the address of an application, such as /sliders"),
                *_named(host),
                nginx("or forward the address to the server", "location / { proxy_pass http://127.0.0.1:5006; }"),
                apache("or forward the address to the server", "ProxyPass / http://127.0.0.1:5006/"),
                _LOGIN,
            ),
        )  # fmt: skip
    elif not 300 <= answer.status < 400:
        yield Finding(
            "page-refused", Severity.ERROR, Hop.PROXY, f"{answer.target.url} answers {answer.status}",
            "There is no page.",
            (*(_named(host) if answer.status == 421 else ()), nginx("error_log says why"), apache("ErrorLog says why")),
        )  # fmt: skip


def _named(host: str) -> tuple[Remedy, Remedy]:
    """How to have the right site answer if another one of the same proxy did."""
    return (
        nginx("if another site of this proxy answers, name the host in yours", f"server_name {host};"),
        apache("if another site of this proxy answers, name the host in yours", f"ServerName {host}"),
    )


def _leads_away(page: Page) -> str | None:
    """The other host that the page leads to."""
    location = page.answer.header("location") or ""
    target = page.answer.target.follow(location) if location and 300 <= page.answer.status < 400 else None
    return target.host if target is not None and target.host != page.answer.target.host else None


def _asks_for_password(page: Page) -> bool:
    return page.answer.status == 200 and re.search(r"""type\s*=\s*["']?password""", page.answer.text) is not None


def _missing(evidence: Evidence, page: Page) -> Finding:
    target, seen = page.answer.target, page.answer.seen
    above = target.path.rstrip("/").rpartition("/")[0]
    prefix = above or target.path.rstrip("/")
    if seen is not None and seen.place == "elsewhere":
        return Finding(
            "prefix-missing", Severity.ERROR, Hop.SERVER,
            f"the application server has no page at {target.path}, but one below another prefix",
            "Neither the page nor its files are found.",
            (
                server("tell it the path that the proxy forwards", f"--prefix {prefix}")
                if above
                else server("open the application below the server's --prefix, or start it without one"),
                nginx("keep the path: no URI after the address", f"location {prefix}/ {{ proxy_pass http://…; }}"),
                apache("keep the path: the same on both sides", f"ProxyPass {prefix}/ http://…{prefix}/"),
            ),
        )  # fmt: skip
    if seen is not None:
        return Finding(
            "page-missing", Severity.ERROR, Hop.SERVER, f"the application server has no page at {target.path}",
            "There is no page.",
            (
                server("serve the application under this name; its log lists the addresses at startup"),
                server("or tell it the path that the proxy forwards", f"--prefix {prefix}"),
            ),
        )  # fmt: skip
    return Finding(
        "page-missing", Severity.ERROR, Hop.PROXY,
        f"{target.url} answers 404, but not by the application server",
        "There is no page.",
        (
            *_named(target.host),
            nginx("forward the address to the server", f"location {prefix}/ {{ proxy_pass http://127.0.0.1:5006; }}"),
            apache("forward the address to the server", f"ProxyPass {prefix}/ http://127.0.0.1:5006{prefix}/"),
        ),
    )  # fmt: skip


def path_is_kept(evidence: Evidence) -> Iterator[Finding]:
    """The proxy forwards the path that the browser requested."""
    page = evidence.page
    if page is None or page.token is None or page.answer.seen is None or page.answer.seen.path != "other":
        return
    if all(script.status == 200 for script in evidence.scripts):
        return
    root = page.root_path or "/"
    path = page.answer.target.path
    prefix = path.rstrip("/").rpartition("/")[0] or path
    yield Finding(
        "prefix-stripped", Severity.ERROR, Hop.PROXY,
        f"the proxy removes a part of {path}, and the page looks for its files below {root}",
        "BokehJS is not found, and the page stays blank.",
        (
            nginx("no URI after the address, and no rewrite", f"location {prefix}/ {{ proxy_pass http://…; }}"),
            apache("the same path on both sides", f"ProxyPass {prefix}/ http://…{prefix}/"),
            server("and tell the server about it", f"--prefix {prefix}"),
        ),
    )  # fmt: skip


def page_is_not_kept(evidence: Evidence) -> Iterator[Finding]:
    """No cache stores the page, because it contains a token."""
    page = evidence.page
    if page is None or page.token is None:
        return
    value = (page.answer.header("cache-control") or "").lower()
    if re.search(r"no-store|no-cache|max-age=0\b", value):
        return
    shared = "public" in value or "s-maxage" in value or not value
    yield Finding(
        "page-cached", Severity.ERROR if shared else Severity.WARNING, Hop.PROXY,
        f"the page's Cache-Control is {value!r}" if value else "the page has no Cache-Control",
        "A cache may give one visitor's page, and with it the session, to another.",
        (
            nginx("do not change the server's header: no expires, no proxy_cache, no add_header Cache-Control here",
                  "proxy_cache off;", "expires off;"),
            apache("do not change the server's header: no ExpiresActive, no CacheEnable, no Header set here",
                   "ExpiresActive Off"),
        ),
    )  # fmt: skip


def sessions_are_not_shared(evidence: Evidence) -> Iterator[Finding]:
    """Two visitors get two sessions: no cache answers one with the page of the other."""
    if evidence.names_session:
        return
    pages = [opening.page for opening in evidence.openings] + ([evidence.page] if evidence.page is not None else [])
    for kind, got in (("pages", pages), ("embedding scripts", [Page(answer) for answer in evidence.own_scripts])):
        ids = [found.session_id for found in got if found.session_id is not None]
        if len(set(ids)) < len(ids):
            answer = got[0].answer
            age = next((f", the Age {found.answer.header('age')}" for found in got if found.answer.header("age")), "")
            yield Finding(
                "session-shared", Severity.ERROR, Hop.PROXY,
                f"{len(ids)} visitors got {kind} of only {len(set(ids))} sessions at {answer.target.path}{age}",
                "A cache gives one visitor's session to others, who can see and change what that visitor does.",
                (
                    nginx("do not cache what the server answers",
                          "proxy_cache off;", "# and no proxy_ignore_headers Cache-Control;"),
                    apache("do not cache what the server answers",
                           "CacheDisable /", "# and no CacheIgnoreCacheControl, no CacheStoreNoStore"),
                    remedy("CDN", "make it respect Cache-Control: no-store, for autoload.js too, and purge it"),
                ),
            )  # fmt: skip
            return


def page_is_shown(evidence: Evidence) -> Iterator[Finding]:
    """Browsers show the page as a page."""
    page = evidence.page
    if page is None or page.token is None:
        return
    kind = (page.answer.header("content-type") or "text/html").lower()
    attached = (page.answer.header("content-disposition") or "").lower().startswith("attachment")
    if attached or not kind.startswith(("text/html", "application/xhtml")):
        yield Finding(
            "page-type", Severity.ERROR, Hop.PROXY,
            "the page is sent as a download (Content-Disposition: attachment)"
            if attached
            else f"the page is sent as {kind!r}",
            "Browsers save it, or show its source, instead of running it.",
            (
                nginx("remove the line", "add_header Content-Disposition …;", "default_type …;"),
                apache("remove the line", "Header set Content-Disposition …", "ForceType …"),
            ),
        )  # fmt: skip


def server_is_known(evidence: Evidence) -> Iterator[Finding]:
    """The server is an app-server that knows the doctor."""
    page = evidence.page
    if page is not None and page.token is not None and not evidence.knows_doctor:
        yield Finding(
            "server-unknown", Severity.NOTE, Hop.SERVER,
            "the application server does not answer the doctor: it is another program, or the proxy drops the header"
            " App-Server-Doctor",
            "Host, scheme, forged headers, buffering and instances were not checked.",
            (
                nginx("if it is app-server, forward the header", "proxy_pass_request_headers on;"),
                apache("if it is app-server, forward the header: no RequestHeader unset for it"),
            ),
        )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (
    page_is_there,
    path_is_kept,
    page_is_not_kept,
    sessions_are_not_shared,
    page_is_shown,
    server_is_known,
)
