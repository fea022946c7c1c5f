"""The log: one handler, one format, for the whole process."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from app_server.cli.running.log_file import LogFile
from app_server.errors import TransientError
from app_server.observe.logs import JsonFormatter, LineFormatter, Stamp
from app_server.settings import Settings

# Python's logging has no name for what is finer than debug; bokeh uses this number for it.
TRACE = 9


def configure_logging(settings: Settings) -> None:
    """Send the log of the process to stderr or a file. OperatorError if the file cannot be opened."""
    logging.addLevelName(TRACE, "TRACE")
    handler = _handler(settings.log_file)
    handler.addFilter(Stamp())
    handler.setFormatter(JsonFormatter() if settings.log_json else LineFormatter(settings.log_format))
    if settings.log_json:
        _log_warnings_and_uncaught()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(TRACE if settings.log_level == "trace" else settings.log_level.upper())


def _log_warnings_and_uncaught() -> None:
    """Log warnings and uncaught exceptions too, for programs that read the log line by line."""
    logging.captureWarnings(True)
    log = logging.getLogger("app_server")

    def uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None and issubclass(kind, Exception):
            log.critical("uncaught exception", exc_info=(kind, error, trace))

    sys.excepthook = uncaught
    threading.excepthook = lambda about: uncaught(about.exc_type, about.exc_value, about.exc_traceback)


def _handler(path: str | None) -> logging.Handler:
    if path is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return LogFile(path)
    except OSError as error:
        raise TransientError(f"{path} cannot be written: {error.strerror}", where="--log-file") from error
