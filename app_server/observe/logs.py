"""Lines of the log that a program can read, and what each line is about: application, session, request.

A line is about the session that its first argument names (`LogName`), or else the one whose code logs it. Sessions are
identified by the first characters of their ids, because the whole id opens them. Tokens and queries are never logged.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
from contextvars import ContextVar
from datetime import UTC, datetime

from app_server.session.naming import LogName

request_id: ContextVar[str] = ContextVar("app_server_request_id", default="")
"""The id of the request that is being answered in this context."""

SHORT = 8
"""This many characters identify a session, but do not open it."""

_WELL_FORMED = re.compile(r"[A-Za-z0-9._~+/=:@-]{1,128}")
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {
    "message", "asctime", "taskName", "application", "session", "request_id", "trace_id", "span_id",
}  # fmt: skip


def request_id_from(header: str | None) -> str:
    """The id that a proxy gave to the request if it is harmless; otherwise a new one."""
    return header if header and _WELL_FORMED.fullmatch(header) else secrets.token_hex(8)


class Stamp(logging.Filter):
    """Gives every record `application`, `session`, `request_id`, `trace_id` and `span_id`, "" where there is none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the attributes; every record passes."""
        if not hasattr(record, "session"):
            record.application, record.session = _about(record)
        record.request_id = request_id.get()
        if not hasattr(record, "trace_id"):
            record.trace_id, record.span_id = _span_ids()
        return True


def _about(record: logging.LogRecord) -> tuple[str, str]:
    arguments = record.args if isinstance(record.args, tuple) else ()
    for argument in arguments:
        if isinstance(argument, LogName):
            return argument.application, argument.session[:SHORT]
    # Not imported: logging must not import bokeh, which this belongs to.
    look = getattr(sys.modules.get("app_server.document.current"), "session_at_work", None)
    application, session = look() if look is not None else ("", "")
    return application, session[:SHORT]


def _span_ids() -> tuple[str, str]:
    # Imported only where there are spans.
    look = getattr(sys.modules.get("app_server.observe.otel.current"), "span_ids", None)
    ids: tuple[str, str] = look() if look is not None else ("", "")
    return ids


class LineFormatter(logging.Formatter):
    """A line of text, which ends with the ids of the trace and the span that it belongs to, if there are any."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without exception; a format that names the ids puts them where it likes."""
        line, trace_id = super().formatMessage(record), getattr(record, "trace_id", "")
        if not trace_id or "(trace_id)" in (self._fmt or ""):
            return line
        return f"{line} [trace_id={trace_id} span_id={getattr(record, 'span_id', '')}]"


class JsonFormatter(logging.Formatter):
    """One JSON object per line, including what an application passes as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of ASCII-safe UTF-8, without an end."""
        if not hasattr(record, "trace_id"):
            Stamp().filter(record)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        for name in ("application", "session", "request_id", "trace_id", "span_id"):
            if getattr(record, name):
                line[name] = getattr(record, name)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:  # the exception was raised in another process
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        extra = {name: value for name, value in vars(record).items() if name not in _USUAL}
        if extra:
            line["extra"] = extra
        text = json.dumps(line, ensure_ascii=False, default=repr)
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
