"""A request's address, in the parts that Panel's applications ask for."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from app_server.protocol.paths import above, page_path


def place_of(context: Any) -> tuple[str, str]:
    """Where the server is, for `pn.state.base_url`, and how to get there from the page, for `pn.state.rel_path`.

    A page in the frame of another site needs the full address of the server; its own page a relative one, which
    holds for any prefix that a proxy has put in front of it.
    """
    request = context.request
    if request is None:
        return "/", ""
    route = route_of(context)
    path = page_path(request.path, route)
    found = above(path, route)
    prefix = path.rstrip("/") if found is None else found
    rel_path = "/".join([".."] * path.removeprefix(prefix).lstrip("/").count("/"))
    embedded_at = parse_qs(request.query).get("bokeh-absolute-url")
    if embedded_at:
        address = embedded_at[0].rstrip("/")
        found = above(address, route)
        rel_path = address if found is None else found
    return f"{prefix}/", rel_path


def route_of(context: Any) -> str:
    """The route of a session's page: that of its application, with values in place of placeholders."""
    return str(context.request.app_path or context.server_context.application_context.url)


def location_of(request: Any, route: str | None = None) -> dict[str, str]:
    """The page's address in the parts that `pn.state.location` has, named as in the browser; its route, if known."""
    parts = urlsplit(f"{request.protocol}://{request.host}{request.uri}")
    path = page_path(parts.path, route)
    search = f"?{parts.query}" if parts.query else ""
    try:
        port = str(parts.port or "")
    except ValueError:
        port = ""
    return {
        "protocol": f"{parts.scheme}:",
        "hostname": parts.hostname or "",
        "port": port,
        "pathname": path,
        "search": search,
        "href": f"{parts.scheme}://{parts.netloc}{path}{search}",
    }
