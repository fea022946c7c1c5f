"""What gunicorn is asked to load: applications and their settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from app_server.embedded.keywords import INSTEAD, in_keywords, settings_from_keywords
from app_server.embedded.sources import Source, Sources, by_route
from app_server.errors import OperatorError
from app_server.settings import Settings, export, variables_of

log = logging.getLogger(__name__)

GUNICORNS = {
    "port": "--bind", "address": "--bind", "unix_socket": "--bind", "num_procs": "--workers",
    "ssl_certfile": "--certfile", "ssl_keyfile": "--keyfile", "drain_s": "--graceful-timeout",
    "drain_deadline_s": "--graceful-timeout", "hang_timeout_s": "--timeout", "start_timeout_s": "--timeout", "show": "",
    "dev": "--reload",
    "dev_watch": "--reload-extra-file",
}  # fmt: skip
"""Settings of `app-server serve` that are gunicorn's to make, and the flag that makes them."""

_INSTEAD = {name: hint for name, hint in INSTEAD.items() if name not in ("log_format", "log_json")}
_INSTEAD["env_file"] = "Set APP_SERVER_ENV_FILE."
_INSTEAD["log_file"] = "Give gunicorn --error-logfile."


class Applications:
    """What `app` returns: applications and their settings, for `Worker`."""

    def __init__(self, sources: Sources, settings: Settings) -> None:
        self.settings = settings
        self.applications = by_route(sources, settings, prepare=False)

    def __call__(self, environ: Mapping[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        """Say in an answer what is wrong where another worker class has been chosen."""
        log.error("gunicorn has been started without our worker class. Add: -k app_server.gunicorn.Worker")
        start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
        return [b"The server is misconfigured. Ask the site's operator; details are in the server log.\n"]


def app(*sources: Source | Mapping[str, Source], **settings: Any) -> Applications:
    """The applications that gunicorn's workers serve; sources and keywords are those of `app_server.Server`.

    A single source may be a dictionary from routes to applications.

    What no keyword gives comes from the environment. OperatorError and ApplicationError as for `app_server.Server`.
    """
    for name in settings:
        if name in GUNICORNS:
            hint = f"Give gunicorn {GUNICORNS[name]}." if GUNICORNS[name] else "Leave it out."
            raise OperatorError("is for gunicorn to say", where=name, hint=hint)
    if not sources:
        hint = 'Name at least one, such as app("myapp.py").'
        raise OperatorError("no application", where="app_server.gunicorn:app", hint=hint)
    export(variables_of({}, os.environ))
    with in_keywords():
        resolved = settings_from_keywords(settings, os.environ, _INSTEAD)
    if resolved.isolation != "none":
        hint = "Use app-server serve --num-procs, or leave it out."
        raise OperatorError("gunicorn's workers do not start processes for sessions", where="isolation", hint=hint)
    if resolved.console is not None:
        hint = "Use app-server serve, or leave it out."
        raise OperatorError("gunicorn does not start the console's process", where="console", hint=hint)
    with in_keywords():
        given: Any = sources[0] if len(sources) == 1 else list(sources)
        return Applications(given, resolved)
