"""What was done to a deployment: who has released what, when, from which revision, and what came of it."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from app_server import system
from app_server.errors import AppServerError, OperatorError

FILE = "history.jsonl"
Result = Literal["done", "failed", "interrupted"]
# A line of the log; older versions wrote nothing else.
_LOGGED = re.compile(r"^(?P<at>\S+) (?P<by>.+?): (?:[^\s:]+: )?(?P<what>(?:release|back) .+)$")
# Variables that lead git to another repository, as in its own hooks.
_OF_GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
_TIME = "%Y-%m-%dT%H:%M:%S%z"


def operator() -> str:
    """The name of the user who runs the command, or its number for one that the system has no name for."""
    try:
        return _shown(getpass.getuser())
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"user {system.user_id()}"


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was done. What is not known is "", and `seconds` None."""

    at: str
    """when it began, such as 2026-11-29T14:03:12+0100"""
    by: str
    target: str
    action: str
    """deploy, rollback, maintenance on, maintenance off"""
    result: Result
    release: str = ""
    revision: str = ""
    """git's, with -dirty if files differed from it"""
    seconds: float | None = None
    error: str = ""
    name: str = ""
    """what the operator has called the release"""


class Record:
    """What is known of an action that goes on; its release may be known only later."""

    def __init__(self, release: str = "") -> None:
        self.release = release

    def name(self, release: str) -> None:
        """Say which release it is."""
        self.release = release


@contextmanager
def recorded(
    folder: Path, target: str, action: str, source: Path | None, release: str = "", name: str = ""
) -> Iterator[Record]:
    """Write down what is done meanwhile, and what comes of it; `source` is the folder of what is released."""
    record, begun_s, at = Record(release), time.monotonic(), time.strftime(_TIME)
    revision = "" if source is None else revision_of(source)

    def note(result: Result, error: str = "") -> None:
        seconds = round(time.monotonic() - begun_s, 1)
        append(folder, Entry(at, operator(), target, action, result, record.release, revision, seconds, error, name))

    try:
        yield record
    except BaseException as error:
        with suppress(OperatorError):  # what has failed says more
            note(*_outcome(error))
        raise
    note("done")


def _outcome(error: BaseException) -> tuple[Result, str]:
    """How an action ended that raised this, and what to write down of it."""
    if isinstance(error, AppServerError):
        return "failed", str(error)
    if isinstance(error, Exception):
        return "failed", f"{type(error).__name__}: {error}".rstrip(": ")
    return "interrupted", ""


def revision_of(folder: Path) -> str:
    """The revision of the git repository that the folder is in, "" without a repository or without git."""
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    environ = {name: value for name, value in os.environ.items() if name not in _OF_GIT}
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=environ, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def append(folder: Path, entry: Entry) -> None:
    """Write an entry at the end of the history."""
    about = {name: value for name, value in asdict(entry).items() if value not in ("", None)}
    write_line(folder / FILE, json.dumps(about, ensure_ascii=False))


def write_line(file: Path, text: str) -> None:
    """Write a line at the end of a file. OperatorError if that is not possible."""
    try:
        with file.open("a", encoding="utf-8", errors="replace") as opened:
            opened.write(f"{text}\n")
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=str(file)) from None


def read(folder: Path) -> list[Entry]:
    """What was done, the earliest first; of the time before there was a history, what the log says."""
    entries = list(_entries(folder / FILE))
    before = [entry for entry in _logged(folder / "log") if not entries or entry.at < entries[0].at]
    return [*before, *entries]


def _entries(file: Path) -> Iterator[Entry]:
    for line in _lines(file):
        try:
            yield _entry(json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue  # a line that was cut off, or is not ours


def _entry(about: Any) -> Entry:
    """An entry of what a line has. TypeError for a line that no version of ours has written."""
    known = {field.name for field in fields(Entry)}
    if not isinstance(about, dict):
        raise TypeError
    seconds = about.pop("seconds", None)
    if not (seconds is None or isinstance(seconds, (int, float))):
        raise TypeError
    texts: dict[str, Any] = {name: _shown(value) for name, value in about.items() if name in known}
    return Entry(seconds=seconds, **texts)


def _shown(value: Any) -> str:
    """A text without what would command a terminal. TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError
    return "".join(each if each.isprintable() else " " for each in value)


def _logged(file: Path) -> Iterator[Entry]:
    for line in _lines(file):
        if found := _LOGGED.match(line):
            yield _of_words(found["at"], found["by"], found["what"])


def _of_words(at: str, by: str, what: str) -> Entry:
    result: Result = "failed" if " failed" in what else "done"
    words = what.partition(" failed")[0].split()
    action = "rollback" if words[0] == "back" else "deploy"
    return Entry(at, by, "", action, result, release=words[-1] if words[-1] != "release" else "")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
