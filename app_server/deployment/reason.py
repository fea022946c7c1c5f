"""Why a server did not start or an application failed, found in its output: one line with file and line number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# Escape codes of terminals (ECMA-48), and what else moves the cursor.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[@-Z\\-_])|[\r\x07\x08]")
# What compose puts before each line of a log, if it does.
_LEVEL = re.compile(r"^(?:.*? \| )?\S+ \S+ (?:ERROR|CRITICAL) (?!\d{3} [A-Z]+ )(.+)$")
_COMPLAINT = re.compile(r"^(?:.*? \| )?app-server: (?!warning|note)(.+)$")
_FRAME = re.compile(r'^\s*(?:.*? \| )?\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(r"^(?:.*? \| )?(?P<text>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b.*)$")
# What is true of every failure, and says nothing of this one.
_ADVICE = re.compile(r"\. Correct it, and restart the server; .*$")
# The reader has asked for this page, and knows its address.
_ROUTE = re.compile(r"^/\S*: ")
_OURS = ("/site-packages/", "/opt/app-server/", "/usr/lib/python", "/app_server/", "<frozen")


def plain(text: str) -> str:
    """Text without escape codes."""
    return _ESCAPES.sub("", text)


def reason_in(log: str) -> str | None:
    """The line that says why: what the server says of an application, else of itself, else the last exception."""
    lines = [_message(line.rstrip()) for line in plain(log).splitlines() if line.strip()]
    for pattern in (_LEVEL, _COMPLAINT):
        found = [match[1] for line in lines if (match := pattern.match(line))]
        if found:
            return _ADVICE.sub("", _ROUTE.sub("", found[-1])).rstrip(".")
    exceptions = list(_exceptions(lines))
    return exceptions[-1] if exceptions else None


def _message(line: str) -> str:
    """A line of a log in JSON as one of text."""
    if not line.startswith("{"):
        return line
    try:
        about = json.loads(line)
    except ValueError:
        return line
    level, message = about.get("level"), about.get("message")
    return f"- - {str(level).upper()} {message}" if level and message else line


def _exceptions(lines: list[str]) -> Iterator[str]:
    """Each exception of the tracebacks, with the last place in a file that is an application's."""
    place = ""
    for line in lines:
        if frame := _FRAME.match(line):
            if not place or not any(part in frame["file"] for part in _OURS):
                place = f"{frame['file'].removeprefix('/apps/')}:{frame['line']}: "
        elif found := _EXCEPTION.match(line):
            yield f"{place}{found['text'].rstrip('.')}"
            place = ""
