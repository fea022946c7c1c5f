"""What went wrong in an application's code, and at which of its lines."""

from __future__ import annotations

import os
import sysconfig
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from app_server.errors import ApplicationError

_FOREIGN_FOLDERS = ("site-packages", "dist-packages")
_STANDARD_LIBRARY = sysconfig.get_path("stdlib") + os.sep
_THIS_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_MACHINERY = (_THIS_PACKAGE, _STANDARD_LIBRARY, "<frozen ")


ADVICE = "Correct it, and restart the server; --dev does so by itself"
"""What to do about most errors of an application that is served."""


@dataclass(frozen=True, slots=True)
class CodePlace:
    """Where an application's code lies, and how its paths are shown: as they were given, `myapp/main.py`.

    `folder` is None for a function that was typed in.
    """

    folder: Path | None
    shown: str
    main: str

    def name(self, filename: str) -> str:
        """The file as a person knows it."""
        if self.folder is None or not self._holds(filename):
            return filename
        return os.path.normpath(os.path.join(self.shown, os.path.relpath(filename, self.folder)))

    def line(self, filename: str, number: int | None) -> str:
        """`myapp/main.py:12`, or only the file if the line is not known."""
        return self.name(filename) if number is None else f"{self.name(filename)}:{number}"

    def owns(self, filename: str) -> bool:
        """Whether the file is the application's own, not one of a library that is installed inside its folder."""
        if filename == self.main:
            return True
        return self._holds(filename) and not _is_installed(os.path.relpath(filename, self.folder))

    def _holds(self, filename: str) -> bool:
        return self.folder is not None and filename.startswith(os.path.join(str(self.folder), ""))


def application_error(error: BaseException, place: CodePlace) -> ApplicationError:
    """The error of an application's code with its innermost own line; the caller raises it from `error`.

    The traceback of `error` loses the server's frames at its head: a report begins with the author's code.
    """
    where = _where(error, place)
    _forget_our_frames(error)
    return ApplicationError(describe(error), where=where, hint=_hint(error))


def describe(error: BaseException) -> str:
    """`NameError: name 'x' is not defined`: the error in one sentence, without a final full stop."""
    if isinstance(error, SystemExit):
        return f"the application called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, SyntaxError):
        text = error.msg or ""
    else:
        try:
            text = str(error)
        except Exception:
            # An error that cannot be written as text must not hide behind a second one.
            text = ""
    lines = text.strip().splitlines()
    sentence = lines[0].rstrip(" .") if lines else ""
    name = type(error).__qualname__
    return f"{name}: {sentence}" if sentence else name


def _hint(error: BaseException) -> str:
    match error:
        case SystemExit():
            return "A server must outlive its sessions: return, or raise an error that says what is wrong"
        case ModuleNotFoundError(name=str(name)):
            return f"Install {name.partition('.')[0]} where the server runs, or put it beside the application"
        case FileNotFoundError(filename=str(filename)) if not os.path.isabs(filename):
            return "A relative path starts at the server's working directory; build it from Path(__file__).parent"
        case _:
            return ADVICE


def _where(error: BaseException, place: CodePlace) -> str:
    """The innermost line of the application; failing that, of any code but libraries'; failing that, of any."""
    if isinstance(error, SyntaxError) and error.filename is not None and place.owns(error.filename):
        # The file that does not parse has no frame of its own.
        return place.line(error.filename, error.lineno)
    lines = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    own = [line for line in lines if place.owns(line[0])]
    others = [line for line in lines if _is_nobodys_library(line[0])]
    # The frames of the server are last resort: a builtin called as an application has no frame at all.
    found = own or others
    return place.line(*found[-1]) if found else place.name(place.main)


def _is_nobodys_library(filename: str) -> bool:
    return not filename.startswith(_MACHINERY) and not _is_installed(filename)


def _is_installed(filename: str) -> bool:
    return any(part in Path(filename).parts for part in _FOREIGN_FOLDERS)


def _forget_our_frames(error: BaseException) -> None:
    frames: TracebackType | None = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        frames = frames.tb_next
    if frames is not None or isinstance(error, SyntaxError):
        # A file that does not parse has no frame of its own, and says itself where it is wrong.
        error.__traceback__ = frames
