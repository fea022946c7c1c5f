"""The log file. A full disk or a deleted folder loses lines of the log, and has no other effect."""

from __future__ import annotations

import io
import logging
import sys
from logging.handlers import WatchedFileHandler


class LogFile(WatchedFileHandler):
    """Writes the log to a file, and reopens it after logrotate has moved it.

    Lines that cannot be written are lost: stderr says so once, and the file says how many when writing works again.
    """

    def __init__(self, path: str) -> None:
        self._lost = 0
        super().__init__(path, encoding="utf-8")

    def _open(self) -> io.TextIOWrapper:
        # Without a buffer: it would keep what a full disk rejects, and fail again at exit.
        return io.TextIOWrapper(io.FileIO(self.baseFilename, "a"), encoding=self.encoding, write_through=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Write this line, or lose it."""
        before = self._lost
        try:
            super().emit(record)
        except OSError as error:  # it could not be opened again
            self._lose(error)
        if before and self._lost == before:
            self._lost = 0
            self.emit(_about(f"{before} lines of the log were lost, because {self.baseFilename} could not be written"))

    def handleError(self, record: logging.LogRecord) -> None:
        """Count a line that cannot be written as lost. Python reports a line that cannot be formatted."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._lose(error)
        else:
            super().handleError(record)

    def _lose(self, error: OSError) -> None:
        self._lost += 1
        if self._lost == 1:
            what = f"app-server: --log-file: {self.baseFilename} cannot be written: {error.strerror}."
            print(what, "Lines of the log are lost until it can be written.", file=sys.stderr, flush=True)


def _about(text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
