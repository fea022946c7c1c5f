"""What the command writes: plain text, with colours only at a terminal."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TextIO

from app_server import system
from app_server.errors import AppServerError, OperatorErrors, in_one_line

# ANSI: bold for headings, cyan for what can be typed, red for faults.
STYLES = {"heading": "1", "word": "36", "fault": "1;31"}
# Longer lines are hard to read, however wide the window.
WIDEST_COLUMNS = 100


class Paint:
    """Puts text into colours, or leaves it as it is."""

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if self.coloured and text else text


def paint_for(stream: TextIO, environ: Mapping[str, str]) -> Paint:
    """Colours for a terminal; none for a pipe, a dumb terminal or where NO_COLOR is set (no-color.org)."""
    return Paint(stream.isatty() and not environ.get("NO_COLOR") and system.shows_colours(environ))


def columns() -> int:
    """The number of columns to write for, 80 without a terminal."""
    return min(shutil.get_terminal_size((80, 24)).columns, WIDEST_COLUMNS)


def say(text: str) -> None:
    """Write text to stdout; ignore a reader that has left, as in `app-server info | head -1`."""
    try:
        print(text, flush=True)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the latter on Windows
            raise
        close_stdout()


def close_stdout() -> None:
    """Lose what is still to be written to stdout: Python flushes it once more at its end, and would fail then."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def replacing(stream: TextIO, environ: Mapping[str, str]) -> Callable[[str], None] | None:
    """What writes a line that the next one replaces, "" to take it away; None if the stream is not a terminal."""
    if not stream.isatty() or not system.shows_colours(environ):
        return None

    def write(text: str) -> None:
        # \x1b[K: clear to the end of the line.
        stream.write(f"\r\x1b[K{text[: columns() - 1]}")
        stream.flush()

    return write


def note(text: str) -> None:
    """Write a line to stderr, beside what a command prints."""
    print(text, file=sys.stderr, flush=True)


def complain(error: AppServerError, environ: Mapping[str, str]) -> None:
    """Write one line about an error to stderr, or one about each of several."""
    paint = paint_for(sys.stderr, environ)
    for fault in error.faults if isinstance(error, OperatorErrors) else (error,):
        # It may quote a file or a peer, whose codes must not reach the terminal.
        line = in_one_line(" ".join(str(fault).split()))
        note(f"{paint('fault', 'app-server:')} {line}")
