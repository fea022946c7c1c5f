"""A session's context, as the tests of this folder need it."""

from __future__ import annotations

from typing import Any

from app_server.document.served import ServedDocument
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext


def request(uri: str = "/app", host: str = "localhost:5006") -> VisibleRequest:
    """The request of a page."""
    path, _, query = uri.partition("?")
    return VisibleRequest(uri=uri, path=path, query=query, host=host)


def context_of(
    document: ServedDocument, asked: VisibleRequest | None, route: str = "/app", user: Any = None, **more: Any
) -> Any:
    """A session's context, which the caller has to keep."""
    application = ApplicationContext(route, list)
    context = SessionContext("a session", application.server_context, document, asked, {}, user=user, **more)
    context.kept = application  # type: ignore[attr-defined]
    document.attach_context(context)
    return context
