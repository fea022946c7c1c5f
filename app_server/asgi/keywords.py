"""The keywords of `BokehASGI`, made into settings: what the ASGI server decides is none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app_server.embedded.keywords import INSTEAD, of_several_processes, settings_from_keywords
from app_server.errors import OperatorError
from app_server.settings import WAYS_TO_LOG_IN, Settings

_LISTENING: Final = (
    "The ASGI server listens: see uvicorn --host, --port, --uds, hypercorn --bind, granian --host, --port."
)
_TLS: Final = "The ASGI server does TLS: see uvicorn --ssl-certfile, hypercorn --certfile, granian --ssl-certificate."
_WORKERS: Final = (
    "The ASGI server starts the processes. Use one worker, or `app-server serve --num-procs`, which keeps each session"
    " in one process."
)
_HEADER: Final = "The ASGI server hides who its peer is. Let middleware set scope['user'], or give an auth_policy."
_COMPRESSION: Final = "The ASGI server compresses messages, by itself: see uvicorn --ws-per-message-deflate."

INSTEAD_OF: Final[dict[str, str]] = {
    **{name: hint for name, hint in INSTEAD.items() if name != "absolute_url"},
    **dict.fromkeys(("address", "port", "unix_socket"), _LISTENING),
    **dict.fromkeys(("ssl_certfile", "ssl_keyfile", "ssl_password"), _TLS),
    **dict.fromkeys(("num_procs", "hang_timeout_s", "start_timeout_s", "isolation"), _WORKERS),
    **dict.fromkeys(("auth_header", "auth_header_from", "auth_header_groups"), _HEADER),
    **dict.fromkeys(("websocket_compression_level", "websocket_compression_mem_level"), _COMPRESSION),
    "http_server_kwargs": "Give these to the ASGI server.",
    "record": "Record with `app-server serve --record`.",
    "route": "Routes lead to instances of `app-server serve`. Let a proxy keep each visitor at one worker.",
    "show": "Open the page yourself: only the ASGI server knows its address.",
    "use_xheaders": "The ASGI server reads these headers: see uvicorn --proxy-headers and --forwarded-allow-ips.",
}
"""What to do in place of settings that are the ASGI server's, or only those of `app-server serve`."""

_UNSAFE: Final = ("auth_header", "auth_header_from", "auth_header_groups")
"""Without these, which the environment may name, pages would be open to everyone."""


def settings_of(
    keywords: Mapping[str, Any], environ: Mapping[str, str], policy: object = None
) -> tuple[Settings, list[str]]:
    """The settings of these keywords, on top of the environment, and what the environment names in vain.

    With a policy for users, sessions are signed unless the keywords say otherwise. OperatorError for what has no
    meaning here.
    """
    # The stock class has an absolute_url, too, and uses it for nothing.
    given = {name: value for name, value in keywords.items() if name != "absolute_url"}
    settings = settings_from_keywords(given, environ, INSTEAD_OF, "BokehASGI", users_known=True)
    fields = [name for name in INSTEAD_OF if hasattr(settings, name)]
    in_vain = of_several_processes(settings, fields)
    for name in in_vain:
        if name in _UNSAFE:
            raise OperatorError("cannot be used with ASGI", where=name, hint=INSTEAD_OF[name])
    default = Settings()
    changes: dict[str, Any] = {name: getattr(default, name) for name in in_vain}
    if policy is not None:
        _check_one_way(settings)
        if settings.session_ids == default.session_ids and not {"session_ids", "sign_sessions"} & given.keys():
            changes["session_ids"] = "signed"
    return replace(settings, **changes), in_vain


def _check_one_way(settings: Settings) -> None:
    """Raise OperatorError if users would log in in two ways."""
    for name in WAYS_TO_LOG_IN:
        if getattr(settings, name):
            hint = "Choose one of the two ways to log in."
            raise OperatorError("cannot be combined with auth_policy", where=name, hint=hint)
