"""The settings of the server that shows the console: those of the site's, except for what must be its own."""

from __future__ import annotations

import hmac
from dataclasses import replace

from app_server.requests.state.policy import key_of_this_run, own_hosts
from app_server.settings import Settings
from app_server.settings.console import ConsolePlace

_DAY_S = 86400

_MOST_PAGES = 100
"""How many pages of the console may be open: more are not operators."""

_TUNNELLED = ("localhost:*", "127.0.0.1:*", "[::1]:*")
"""The hosts of a Unix socket: SSH brings it to any port of the operator's own machine."""


def console_settings(settings: Settings) -> Settings:
    """The settings of a server for operators; its keys are others, so nothing that the site signs is good here.

    What is not named here has its default: settings of the site's logins, stores and applications are not the
    console's. At an address of its own it has its own names; at a path of the site it has the site's.
    """
    place = ConsolePlace.read(settings.console or "")
    own = Settings(
        port=settings.port, address=settings.address, unix_socket=settings.unix_socket,
        allow_websocket_origin=settings.allow_websocket_origin, use_xheaders=settings.use_xheaders,
        route=settings.route, prefix=settings.prefix + place.path,
        basic_auth=settings.console_auth, login_lifetime_s=settings.login_lifetime_s,
        cookie_secret=_derived(settings.cookie_secret, b"console cookies"),
        secret_key=_derived(settings.secret_key, b"console tokens"), session_ids="signed",
        # A page that was left open finds its way back after a restart.
        session_token_expiration_s=_DAY_S,
        ssl_certfile=settings.ssl_certfile, ssl_keyfile=settings.ssl_keyfile, ssl_password=settings.ssl_password,
        request_timeout_s=settings.request_timeout_s, idle_timeout_s=settings.idle_timeout_s,
        max_sessions=_MOST_PAGES, ico_path=settings.ico_path, stats_log_frequency_ms=0,
    )  # fmt: skip
    if place.path:
        return own
    return replace(
        own, prefix="", route=None, address=place.host or None, port=place.port, unix_socket=place.unix_socket or None,
        allow_websocket_origin=_origins(settings, place), ssl_certfile=None if place.is_private else own.ssl_certfile,
    )  # fmt: skip


def _origins(settings: Settings, place: ConsolePlace) -> tuple[str, ...]:
    """The hosts whose pages may connect: only this machine's, unless operators log in."""
    if not place.unix_socket and not settings.console_auth:
        return ()
    own = _TUNNELLED if place.unix_socket else tuple(own_hosts(place.host, place.port))
    return (*own, *(settings.allow_websocket_origin if settings.console_auth else ()))


def _derived(secret: str | None, what: bytes) -> str:
    """A key that only this secret leads to; without one, a key for this run, which outlives the console's process."""
    known = key_of_this_run() if secret is None else secret.encode("utf-8")
    return hmac.new(known, b"app-server " + what, "sha256").hexdigest()
