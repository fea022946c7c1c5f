"""Which address is answered by which handler."""

from __future__ import annotations

from typing import Any

from app_server.document import embedding
from app_server.observe import exposition
from app_server.transport.connection import SocketHandler
from app_server.transport.handlers import (
    AutoloadHandler,
    FaviconHandler,
    HealthHandler,
    IndexHandler,
    MetadataHandler,
    MissingHandler,
    PageHandler,
    ReadyHandler,
)
from app_server.transport.metrics import MetricsHandler
from app_server.transport.reload import LiveReload, ReloadHandler
from app_server.transport.site import Site
from app_server.transport.static import FoundFiles, StaticFiles

_ROUTE = r"(?:/_i/[A-Za-z0-9_-]{1,32})?"
"""Every server accepts every instance's route: after a failover a foreign one arrives."""


def routes_of(site: Site, live_reload: LiveReload | None) -> list[tuple[Any, ...]]:
    """The handlers of the site and its applications, for Tornado."""
    prefix = site.settings.prefix
    base = f"{_ROUTE}{prefix}{_ROUTE}"
    context = {"site": site}
    bokehjs = {"roots": (embedding.static_root(),)}
    routes: list[tuple[Any, ...]] = [
        (r"/healthz", HealthHandler, context),
        (r"/readyz", ReadyHandler, context),
    ]
    if prefix:
        routes += [(rf"{prefix}/healthz", HealthHandler, context), (rf"{prefix}/readyz", ReadyHandler, context)]
    if site.settings.metrics:
        exposition.check()
        routes.append((r"/metrics", MetricsHandler, context))
    if live_reload is not None:
        routes.append((rf"{base}/_dev/reload", ReloadHandler, {**context, "live_reload": live_reload}))
    routes += site.gate.routes(base, context)
    for runtime in site.runtimes:
        path = base + runtime.url.rstrip("/")
        application = {"site": site, "runtime": runtime}
        own = runtime.application.static_path
        roots = (own, embedding.static_root()) if own is not None else (embedding.static_root(),)
        routes += [
            (rf"{path}/ws", SocketHandler, application),
            (rf"{path}/metadata", MetadataHandler, application),
            (rf"{path}/autoload\.js", AutoloadHandler, application),
            (rf"{path}/static/extensions/(.*)", StaticFiles, {"packages": embedding.extension_roots()}),
            (rf"{path}/static/(.*)", StaticFiles, {"roots": roots}),
            (rf"{path}/?", PageHandler, application),
        ]
        find = runtime.guest.find_component
        if find is not None:
            # Beside the page, where the address of the page ends with a slash, or else at the root.
            routes += [(rf"{place}/components/(.+)", FoundFiles, {"find": find}) for place in {path, base}]
    routes += [
        (rf"{base}/static/extensions/(.*)", StaticFiles, {"packages": embedding.extension_roots()}),
        (rf"{base}/static/(.*)", StaticFiles, bokehjs),
        (rf"{base}/favicon\.ico", FaviconHandler, context),
        (rf"{base}/?", IndexHandler, context),
        (r"/favicon\.ico", FaviconHandler, context),
        (r".*", MissingHandler, context),
    ]
    return routes
