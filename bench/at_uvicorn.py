"""Run as a program: `app-server serve` with its files and flags, but by uvicorn and `BokehASGI`.

    python -m bench.at_uvicorn serve FILE ... [flags] --port 5006

The benchmarks compare it with the others, and tests of the protocol run over it.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import fields
from typing import Any

import uvicorn

from app_server.asgi import BokehASGI
from app_server.asgi.keywords import INSTEAD_OF
from app_server.cli.parser import parse
from app_server.errors import AppServerError
from app_server.settings import Settings, all_settings, resolve_settings


def keywords_of(settings: Settings) -> dict[str, Any]:
    """What the settings are that the ASGI application can be given: those that are not as by default."""
    default = Settings()
    names = [field.name for field in fields(settings) if field.name not in INSTEAD_OF]
    return {name: getattr(settings, name) for name in names if getattr(settings, name) != getattr(default, name)}


def main(words: list[str]) -> int:
    """The exit status of the server, once it has stopped."""
    namespace = parse(words, os.environ)
    flags = {setting.name: getattr(namespace, setting.name) for setting in all_settings() if setting.name in namespace}
    settings = resolve_settings(flags, os.environ)
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(message)s")
    try:
        keywords = keywords_of(settings)
        if "session_ids" not in flags:  # which follows from the login
            keywords.pop("session_ids", None)
        bokeh = BokehASGI(list(namespace.files), **keywords)
        uvicorn.run(
            bokeh, host=settings.address or "127.0.0.1", port=settings.port, log_config=None, access_log=False,
            ws="websockets-sansio", ws_max_size=2**30, timeout_graceful_shutdown=5,
            ws_per_message_deflate=settings.websocket_compression_level is not None,
        )  # fmt: skip
    except AppServerError as error:
        logging.getLogger("app_server").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
