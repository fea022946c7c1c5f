"""The error tree: whose fault it is, what happened, where, and what to do next.

Every error that a person may read is an `AppServerError`. Its subclasses say who can fix it; the command
line, the log and the error page only format it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence


class AppServerError(Exception):
    """An error that says what happened, where, and what to do next.

    `what` is one sentence without a final full stop, `where` names the file, line, flag or address at fault,
    `hint` is the next step. `str()` gives all three on one line.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        return text if self.hint is None else f"{text}. {self.hint}"


class OperatorError(AppServerError):
    """The command line, the environment or the machine is at fault; the operator can fix it."""


class TransientError(OperatorError):
    """The machine is at fault, but perhaps only for a while, such as a port in use: trying again may help."""


class ApplicationError(AppServerError):
    """The application's code is at fault; its author can fix it. The cause carries the traceback.

    `shown` is what any visitor may read about it, besides that the application failed; "" for nothing.
    """

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None, shown: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.shown = shown


class PeerError(AppServerError):
    """The other end of a connection is at fault: a malformed, oversized or forged message.

    `close_code` is the WebSocket close code (RFC 6455, section 7.4) that answers it. `what` may quote the other end:
    it becomes one printable line, because clients must not write lines or colors into the log.
    """

    def __init__(self, what: str, *, close_code: int = 1002, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(in_one_line(what), where=where, hint=hint)
        self.close_code = close_code


class TooLargeError(PeerError):
    """A message is larger than `limit` bytes: of `size` bytes, or at least that if it had not arrived completely."""

    def __init__(self, limit: int, size: int, *, whole: bool = False) -> None:
        super().__init__(f"a message is larger than {limit} bytes", close_code=1009)
        self.limit = limit
        self.size = f"{size:,} bytes" if whole else f"at least {size:,} bytes"


class InternalError(AppServerError):
    """Our own fault: something that cannot happen did. Please report it."""


class OperatorErrors(OperatorError):
    """Several faults found at once, as in a file that is checked completely; `faults` has each of them."""

    def __init__(self, faults: Sequence[OperatorError]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


LONGEST_SHOWN = 500
"""How many characters the log shows of a path that a client asks for, which may be 64 KB long."""


def in_one_line(text: str, longest: int | None = None) -> str:
    """The text with everything unprintable escaped: ends of lines, codes of terminals, lone surrogates.

    Of a text with more than `longest` characters only these are left.
    """
    if longest is not None and len(text) > longest:
        text = f"{text[:longest]}…"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def likely(word: str, known: Iterable[str], *, alike: float = 0.75) -> str | None:
    """The known word that a misspelt one was probably meant to be; None if none is similar enough.

    By default one letter of six may be wrong, or a part be left out. `alike` is 1 for the same word.
    """
    import difflib  # takes longer to import than all else here

    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=alike)), None)


def did_you_mean(word: str, known: Iterable[str], *, alike: float = 0.75) -> str | None:
    """A hint that names the word that a misspelt one was probably meant to be; None if none is similar enough."""
    found = likely(word, known, alike=alike)
    return None if found is None else f"Did you mean {found}?"


def from_keyboard(error: BaseException) -> bool:
    """Whether this is Ctrl-C rather than something that an application has raised.

    Python raises it in whatever code runs, unless the program handles the signal, as the server's commands do.
    """
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler
