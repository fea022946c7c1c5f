"""The page's Content-Security-Policy: whether it lets BokehJS and its socket work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from app_server.doctor.csp import Policy, Script, scripts
from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import BOKEHJS, Page

_ALLOWED = (
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; connect-src 'self';"
    " img-src 'self' data: blob:"
)
"""What a page of Bokeh needs, with BokehJS from this server."""


def policy_lets_the_page_run(evidence: Evidence) -> Iterator[Finding]:
    """No Content-Security-Policy forbids what the page needs."""
    page = evidence.page
    if page is None or page.token is None:
        return
    blocked = [fault for policy in page.policies for fault in _blocked(policy, page)]
    narrowed = [fault for policy in page.policies for fault in _narrowed(policy)]
    remedies = (
        nginx("allow what the page needs where the header is set",
              f'add_header Content-Security-Policy "{_ALLOWED}";'),
        apache("allow what the page needs where the header is set",
               f'Header set Content-Security-Policy "{_ALLOWED}"'),
    )  # fmt: skip
    if blocked:
        yield Finding(
            "csp-blocks", Severity.ERROR, Hop.PROXY,
            f"the page's Content-Security-Policy blocks {', '.join(dict.fromkeys(blocked))}", "The page stays blank.",
            remedies,
        )  # fmt: skip
    elif narrowed:
        yield Finding(
            "csp-narrow", Severity.WARNING, Hop.PROXY,
            f"the page's Content-Security-Policy blocks {', '.join(dict.fromkeys(narrowed))}",
            "The page is shown, but parts of it look wrong or do nothing.", remedies,
        )  # fmt: skip


def _blocked(policy: Policy, page: Page) -> Iterator[str]:
    if policy.sandboxed_without("allow-scripts"):
        yield "all scripts (sandbox)"
    elif policy.sandboxed_without("allow-same-origin"):
        yield "the page's own origin, with which it opens the socket (sandbox)"
    found = scripts(page.answer.text)
    if any(script.address is None and not policy.runs(script) for script in found):
        yield "the scripts within the page"
    outside = [_whole(script, page) for script in found if script.address is not None]
    if any(not policy.runs(script) for script in outside if BOKEHJS.search(script.address or "")):
        yield "BokehJS"
    target = page.answer.target
    if not policy.connects(f"{target.origin.replace('http', 'ws', 1)}{page.socket_path}"):
        yield "the WebSocket"


def _whole(script: Script, page: Page) -> Script:
    target = page.answer.target.follow(script.address or "")
    return replace(script, address=target.url if target is not None else script.address)


def _narrowed(policy: Policy) -> Iterator[str]:
    if not policy.styles:
        yield "the styles of widgets"
    if not policy.evaluates:
        yield "JavaScript that is compiled from text, such as CustomJS"


RULES: Final[tuple[Rule, ...]] = (policy_lets_the_page_run,)
