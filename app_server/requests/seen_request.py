"""What an application sees of the request that its session is made for."""

from __future__ import annotations

from copy import copy
from typing import Any

from tornado.httputil import HTTPServerRequest

from app_server.engine.runtime import ApplicationRuntime
from app_server.security.tokens import Token
from app_server.security.visible_request import VisibleRequest


def payload_of(runtime: ApplicationRuntime, asked: HTTPServerRequest, visible: VisibleRequest) -> dict[str, Any]:
    """A session's token_payload: the visible request, and what the application's hook returns for it, if it runs."""
    seen = copy(asked)
    if visible.arguments:  # those of the page, which its socket's request may lack
        seen.arguments = seen.query_arguments = {**asked.arguments, **visible.arguments}
    return {**visible.payload(), **runtime.process_request(seen)}


def remembered(
    runtime: ApplicationRuntime, asked: HTTPServerRequest, arrived: VisibleRequest, token: Token
) -> tuple[VisibleRequest, dict[str, Any]]:
    """The request that a new session of this token is made for, and the session's token_payload.

    A token with our signature says what its page's request looked like, as far as that travels in it. The rest is taken
    from `arrived`, as is everything for an unsigned token: a browser's handshake repeats the headers, cookies and
    arguments of its page.
    """
    if not token.trusted:
        request = arrived.with_arguments_of(token.payload)
        return request, {**payload_of(runtime, asked, request), "session_expiry": token.expires_at}
    request = VisibleRequest.from_payload(token.payload, arrived)
    if "headers" in token.payload:  # it travels whole
        return request, token.payload
    return request, {**payload_of(runtime, asked, request), **token.payload}
