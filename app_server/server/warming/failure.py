"""Why an application has failed before it had visitors, in words that can be sent from one process to another."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass

from app_server.errors import AppServerError

log = logging.getLogger(__name__)

_LONGEST_TRACEBACK = 30_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an application failed, with file and line; what to do; and its traceback, "" if there is none."""

    what: str
    hint: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, error: AppServerError) -> Failure:
        """What is to be said of this error."""
        what = error.what if error.where is None else f"{error.where}: {error.what}"
        lines = traceback.format_exception(error.__cause__) if error.__cause__ is not None else []
        return cls(what, error.hint or "", "".join(lines)[-_LONGEST_TRACEBACK:])

    def log(self, route: str) -> None:
        """Log it, with the traceback as that of any exception."""
        said = self.what if not self.hint else f"{self.what}. {self.hint}"
        record = {
            "name": log.name, "levelno": logging.ERROR, "levelname": "ERROR",
            "msg": "%s: the warmup failed: %s", "args": (route, said), "exc_text": self.traceback.rstrip() or None,
        }  # fmt: skip
        log.handle(logging.makeLogRecord(record))
