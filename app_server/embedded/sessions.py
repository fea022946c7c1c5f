"""The living sessions of a server inside a program, as its methods return them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app_server.engine.runtime import ApplicationRuntime
from app_server.protocol.paths import canonical_route
from app_server.session.session import Session


def sessions_of(
    runtimes: Iterable[ApplicationRuntime], served: Collection[str], app_path: str | None = None
) -> list[Session]:
    """The sessions of the application at a route, or of all. ValueError if the route is not among the `served` ones."""
    route = None if app_path is None else canonical_route(app_path)
    if route is not None and route not in served:
        raise ValueError(f"no application is served at {app_path}; there are {', '.join(served) or 'none'}")
    return [session for runtime in runtimes if route in (None, runtime.url) for session in runtime.registry]


def session_of(
    runtimes: Iterable[ApplicationRuntime], served: Collection[str], app_path: str, session_id: str
) -> Session:
    """The session of this id. ValueError if there is none, or the route is not among the `served` ones."""
    for session in sessions_of(runtimes, served, app_path):
        if session.id == session_id:
            return session
    raise ValueError(f"{app_path} has no session of this id")
