"""What the probes ask for: addresses, headers, and when to ask again."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.visitor import FALSE_ADDRESS
from app_server.doctor.seen.answers import FAILED_BEHIND, Answer, Handshake
from app_server.doctor.seen.pages import Page

MAX_FAILED_PAGES: Final = 3


def is_lost_early(opened: Handshake) -> bool:
    """Whether the proxy gave up on a socket before the server had greeted it: nothing is known about silence then."""
    cut = opened.accepted and opened.greeting is None and opened.close_code is None and opened.failure is None
    return cut or opened.answer.status in FAILED_BEHIND


def names_session(target: Target, route: Route) -> bool:
    given = {name.lower() for name, _ in route.headers} | {name for name, _ in parse_qsl(target.query)}
    return not given.isdisjoint({"bokeh-session-id", "bokeh-token"})


def tries_after(answer: Answer) -> int:
    """How often to request a page again after this answer: another instance may work."""
    if answer.status in FAILED_BEHIND:
        return MAX_FAILED_PAGES
    return int(answer.failure is not None and answer.failure.kind in ("timeout", "closed"))


def spoofs(target: Target) -> dict[str, str]:
    """What visitors send who want to impersonate others."""
    scheme = "http" if target.scheme == "https" else "https"
    return {
        "X-Forwarded-For": FALSE_ADDRESS,
        "X-Real-IP": FALSE_ADDRESS,
        "X-Scheme": scheme,
        "X-Forwarded-Proto": scheme,
        "X-Forwarded-Host": "doctor.invalid",
        "Forwarded": f"for={FALSE_ADDRESS};proto={scheme};host=doctor.invalid",
    }


def socket_of(page: Page, target: Target | None = None) -> Target:
    """Where the page's socket is; `target` is the application if the page is the script that embeds it."""
    target = target or page.answer.target
    path = page.socket_path
    return target.at(path if not path.endswith("/autoload.js/ws") else f"{target.path.rstrip('/')}/ws", target.query)


def autoload_of(target: Target) -> Target:
    path = target.path.rstrip("/")
    query = urlencode(
        {
            "bokeh-autoload-element": "doctor",
            "bokeh-app-path": path or "/",
            "bokeh-absolute-url": target.origin + path,
        }
    )
    return target.at(f"{path}/autoload.js", query)
