"""stdout and stderr of a server that goes on if nothing can be written there any more."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any, TextIO


class ForgivingFile(io.FileIO):
    """A file that silently loses bytes when it is full or its reader is gone."""

    def write(self, data: Any, /) -> int:
        """How many bytes were written or lost."""
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def replace_missing() -> None:
    """Open /dev/null for stdin, stdout and stderr if the process was started without them.

    Otherwise a socket or a file gets their numbers, and what is printed goes there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")


def forgive_characters() -> None:
    """Let stdout and stderr write `\\u2192` for a character that their encoding lacks, as Windows' often does."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


def forgive_output() -> None:
    """Make print() and the log of this process and its forks lose what a disk or pipe does not accept."""
    sys.stdout, sys.stderr = _forgiving(sys.stdout), _forgiving(sys.stderr)


def _forgiving(stream: TextIO) -> TextIO:
    """The stream's file with the same encoding and buffering; the stream itself if it is not a file."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if not isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
        return stream  # Windows' console, which takes characters
    with suppress(OSError):
        stream.flush()
    try:
        file = ForgivingFile(stream.fileno(), "w", closefd=False)
    except (OSError, ValueError):
        return stream
    return io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding, errors=stream.errors,
        line_buffering=stream.line_buffering, write_through=stream.write_through,
    )  # fmt: skip
