"""`app-server static`: only BokehJS's files, as a content delivery network of your own."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial

from app_server.cli.command import Command, flags_of
from app_server.cli.running.logs import configure_logging
from app_server.settings import Setting, Settings, all_settings, resolve_some

SETTINGS = (
    "port", "address", "unix_socket", "prefix", "use_xheaders", "ssl_certfile", "ssl_keyfile", "ssl_password",
    "request_timeout_s", "idle_timeout_s", "log_level", "log_format", "log_file", "log_json",
)  # fmt: skip
"""The settings of `serve` that this command has too."""


def own_settings() -> tuple[Setting, ...]:
    """Those settings, in the order of the table."""
    return tuple(setting for setting in all_settings() if setting.name in SETTINGS)


COMMAND = Command(
    forms=("[flags]",),
    text="Serve only BokehJS, as a CDN of your own.",
    examples=("app-server static --port 8081",),
    flags=flags_of(own_settings()),
)


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What serves the files."""
    flags = {setting.name: getattr(namespace, setting.name) for setting in own_settings() if setting.name in namespace}
    # Variables about sessions and logins are for the applications' server, which may share the environment.
    return partial(run, resolve_some(SETTINGS, flags, environ))


def run(settings: Settings) -> int:
    """The exit status, once the server has stopped."""
    configure_logging(settings)
    from app_server.server.bokehjs_server import serve_static_until_stopped

    return serve_static_until_stopped(settings)
