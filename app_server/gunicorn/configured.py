"""What gunicorn's own configuration says of the address, of TLS, of the log and of where processes find each other."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from app_server.observe.logs import JsonFormatter, LineFormatter, Stamp
from app_server.processes.runtime_dir import VARIABLE, RuntimeDir
from app_server.settings import Settings


def made_runtime_dir(cfg: Any) -> RuntimeDir | None:
    """The processes' runtime directory, if gunicorn's main process can make it; None if another user has to."""
    if cfg.uid != os.geteuid():
        return None
    runtime_dir = RuntimeDir.make(os.environ)
    atexit.register(runtime_dir.remove)
    return runtime_dir


def base_dir(cfg: Any) -> Path:
    """The directory of the user that the workers run as, who is not the one that gunicorn was started by."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else Path(tempfile.gettempdir()) / f"app-server-{cfg.uid}"


def with_address(settings: Settings, cfg: Any, sockets: list[Any]) -> Settings:
    """The settings with what gunicorn says of the address and of TLS."""
    name = sockets[0].getsockname()
    if sockets[0].family == socket.AF_UNIX:
        settings = replace(settings, unix_socket=os.fsdecode(name))
    else:
        settings = replace(settings, address=name[0], port=name[1])
    if cfg.is_ssl:
        settings = replace(settings, ssl_certfile=cfg.certfile, ssl_keyfile=cfg.keyfile)
    return settings


def log_as(settings: Settings, cfg: Any) -> None:
    """Log where gunicorn logs its errors, in its format unless the settings have one of their own."""
    handlers = logging.getLogger("gunicorn.error").handlers
    root, defaults = logging.getLogger(), Settings()
    if not root.handlers:
        root.handlers = list(handlers)
        root.setLevel(logging.getLogger("gunicorn.error").level)
    if settings.log_level != defaults.log_level:
        logging.getLogger("app_server").setLevel(9 if settings.log_level == "trace" else settings.log_level.upper())
    formatter: logging.Formatter | None = None
    if settings.log_json:
        formatter = JsonFormatter()
    elif settings.log_format != defaults.log_format:
        formatter = LineFormatter(settings.log_format)
    for handler in handlers:
        handler.addFilter(Stamp())
        if formatter is not None:
            handler.setFormatter(formatter)
        elif settings.otel in ("traces", "both") and type(handler.formatter) is logging.Formatter:
            handler.setFormatter(LineFormatter(handler.formatter._fmt, handler.formatter.datefmt))
