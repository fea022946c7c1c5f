"""A recording as a file: JSON that a person can read and shorten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from app_server.errors import OperatorError
from app_server.load.recording.structure import KEY

FORMAT: Final = "app-server recording 1"
MAX_FILE_BYTES: Final = 32 * 1024 * 1024
MOST_FILES: Final = 1000
LONGEST_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a browser: seconds since it had the document, and its events with places instead of ids."""

    at_s: float
    events: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """What was done in one page in so many seconds; `left_out` messages are not in it."""

    application: str
    seconds: float
    messages: tuple[Said, ...]
    left_out: int = 0
    truncated: bool = False

    def dump(self) -> bytes:
        """The content of its file."""
        head = {
            "format": FORMAT, "application": self.application, "seconds": self.seconds, "left_out": self.left_out,
            "truncated": self.truncated,
        }  # fmt: skip
        # A message on each line, so a recording can be shortened with an editor.
        lines = [orjson.dumps({"at_s": said.at_s, "events": said.events}) for said in self.messages]
        return orjson.dumps(head)[:-1] + b',"messages":[\n' + b",\n".join(lines) + b"\n]}\n"


def parse(content: bytes, where: str) -> Recording:
    """The recording in a file. OperatorError for anything else."""
    try:
        data = orjson.loads(content)
    except ValueError as error:
        raise OperatorError(f"is not a recording: {error}", where=where) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        hint = "Record one with `app-server serve --record`."
        raise OperatorError("is not a recording", where=where, hint=hint)
    try:
        messages = tuple(_said(each) for each in data["messages"])
        seconds = float(data["seconds"])
    except (LookupError, TypeError, ValueError):
        raise OperatorError("is damaged: its messages cannot be read", where=where) from None
    if not messages:
        raise OperatorError("is a recording in which nothing was done", where=where)
    if any(one.at_s > other.at_s for one, other in zip(messages, messages[1:], strict=False)):
        raise OperatorError("is damaged: its messages are not in order", where=where)
    seconds = max(seconds, messages[-1].at_s)
    return Recording(str(data.get("application", "")), seconds, messages, int(data.get("left_out") or 0))


def _said(data: Any) -> Said:
    at_s, events = float(data["at_s"]), data["events"]
    if not 0 <= at_s <= LONGEST_S or not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise ValueError
    for event in events:
        _check(event)
    return Said(at_s, tuple(events))


def _check(value: Any) -> None:
    """ValueError for a place that is none."""
    if isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        if KEY in value:
            kind, name, nth = value[KEY]
            if not (isinstance(kind, str) and isinstance(name, str) and isinstance(nth, int)):
                raise ValueError
        else:
            _check(list(value.values()))


def read(path: Path) -> tuple[Recording, ...]:
    """The recording in a file, or those in a folder. OperatorError if there are none, or one cannot be read."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise OperatorError("has no recordings", where=str(path))
    if len(files) > MOST_FILES:
        raise OperatorError(f"has more than {MOST_FILES} recordings", where=str(path))
    return tuple(parse(_content(file), str(file)) for file in files)


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if len(content) > MAX_FILE_BYTES:
        raise OperatorError(f"has more than {MAX_FILE_BYTES // 1024 // 1024} MiB", where=str(file))
    return content
