"""The log: one handler, one format, for the whole process."""

from __future__ import annotations

import logging
import sys
from logging.handlers import WatchedFileHandler

from app_server.errors import OperatorError
from app_server.settings import Settings

# Python's logging has no name for what is finer than debug; bokeh uses this number for it.
TRACE = 9


def configure_logging(settings: Settings) -> None:
    """Send the log of the process where the settings say; OperatorError where the file cannot be opened."""
    logging.addLevelName(TRACE, "TRACE")
    handler = _handler(settings.log_file)
    handler.setFormatter(logging.Formatter(settings.log_format))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(TRACE if settings.log_level == "trace" else settings.log_level.upper())


def _handler(path: str | None) -> logging.Handler:
    if path is None:
        return logging.StreamHandler(sys.stderr)
    try:
        # Opens a new file when logrotate has moved the old one away.
        return WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}", where="--log-file") from error
