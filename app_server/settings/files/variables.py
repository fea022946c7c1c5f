"""Files of variables (.env): lines of `NAME=value`, as docker compose and python-dotenv read them.

These two, systemd and shells read many values differently. What they do not read alike is refused, so a value does not
change silently with the program that reads it. One difference is left, because such a value could not be written at
all: python-dotenv replaces `${NAME}` in single quotes, too, unless it gets `interpolate=False`.
Messages quote names only: values may be secrets.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping

from app_server.errors import OperatorError
from app_server.settings.readable import unreadable

LONGEST_VALUE_BYTES = 100_000
"""Linux passes no longer variable than 128 KiB to a program."""
LONGEST_FILE_BYTES = 1_000_000
"""Linux passes at most some 2 MB of variables to a program, by default."""

_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_BARE_NAME = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*(#.*)?$", re.MULTILINE)
_REST_OF_LINE = re.compile(r"[^\n]*")
_NOTHING = re.compile(r"[ \t]*(?:[ \t]#[^\n]*)?(?=\n|$)")
_COMMENT = re.compile(r"[ \t]#")
_REPLACED = re.compile(r"\$[A-Za-z0-9_({]")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"'}
_SINGLE = "Put the value into single quotes, which change nothing."


def read_variables(path: str, where: str) -> dict[str, str]:
    """The variables of a file. OperatorError with file, line and name for a line that is none, or that is ambiguous."""
    for fault in unreadable(path, where):
        raise fault
    try:
        with open(path, "rb") as file:
            content = file.read(LONGEST_FILE_BYTES + 1)
        if len(content) > LONGEST_FILE_BYTES:
            raise OperatorError(f"{path} is longer than {LONGEST_FILE_BYTES:,} bytes", where=where)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", where=where) from None
    except UnicodeDecodeError:
        raise OperatorError(f"{path} is not UTF-8 text", where=where) from None
    return parse_variables(text, path)


def parse_variables(text: str, file: str) -> dict[str, str]:
    """The variables of this text; errors name the file."""
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    for name, value, line in _Scanner(text, file).assignments():
        if name in found:
            raise OperatorError(f"is given twice; see line {lines[name]}", where=f"{file}:{line}: {name}")
        found[name], lines[name] = value, line
    return found


def added(variables: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with these variables; one that is set there already keeps its value."""
    return {**variables, **environ}


def export(variables: Mapping[str, str]) -> None:
    """Add these variables to the environment of this process, as `added` does."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    # C's library has read TZ already. Windows has no such function.
    if "TZ" in variables and hasattr(time, "tzset"):
        time.tzset()


class _Scanner:
    """Goes through a text from one assignment to the next."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._file = file
        self._place = 0
        self._name = ""
        self._seen = (0, 1)  # a place, and its line

    def assignments(self) -> Iterator[tuple[str, str, int]]:
        """Each name with its value, and the line on which it begins."""
        while self._to_next_line():
            line = self._line()
            found = _NAME.match(self._text, self._place)
            if found is None:
                raise self._not_an_assignment()
            self._name, self._place = found[1], found.end()
            yield found[1], self._value(), line

    def _to_next_line(self) -> bool:
        """Go to what follows empty lines and comments; whether there is anything."""
        while self._place < len(self._text):
            rest = _REST_OF_LINE.match(self._text, self._place)
            assert rest is not None
            words = rest[0].strip(" \t")
            if words and not words.startswith("#"):
                self._place += len(rest[0]) - len(rest[0].lstrip(" \t"))
                return True
            self._place = rest.end() + 1
        return False

    def _value(self) -> str:
        quote = self._text[self._place : self._place + 1]
        read = {"'": self._literal, '"': self._escaped}.get(quote, self._plain)
        value = read()
        if bad := next((letter for letter in value if not letter.isprintable() and letter not in "\n\r\t"), None):
            # Unusual spaces and letters of other scripts are text; what no editor shows is a mistake or an attack.
            if ord(bad) < 32 or 127 <= ord(bad) < 160:
                raise self._fault("contains a control character")
        if len(value.encode()) > LONGEST_VALUE_BYTES:
            raise self._fault(f"is longer than {LONGEST_VALUE_BYTES:,} bytes", "Put it into a file, and name that.")
        return value

    def _plain(self) -> str:
        """A value without quotes: the rest of the line, without a comment and the spaces before it."""
        rest = _REST_OF_LINE.match(self._text, self._place)
        assert rest is not None
        value = _COMMENT.split(rest[0], maxsplit=1)[0].rstrip(" \t")
        if value.startswith("#"):
            raise self._fault("begins with #: it could be a value or a comment", "Use quotes: '#...', or '' for none.")
        if set(value) & set("'\"`"):
            raise self._fault("contains a quote, but does not begin with one", _quotes_for(value))
        if value != value.strip() or "\r" in value:
            # Line ends of old Macs, and spaces such as those of web pages: some programs cut them off.
            raise self._fault("has an unusual space or line end, which programs read differently", "Use quotes.")
        self._refuse_replaced(value)
        self._place = rest.end()
        return value

    def _literal(self) -> str:
        """What is between single quotes, as it is."""
        end = self._text.find("'", self._place + 1)
        value = self._text[self._place + 1 : end]
        if end < 0:
            raise self._fault("begins with a quote that is not closed")
        if value.endswith("\\") or "\\\\" in value:
            hint = r"Use double quotes, and write \\ for each backslash."
            raise self._fault(r"has \\ or \' in single quotes, which programs read differently", hint)
        self._place = end + 1
        self._refuse_more()
        return value

    def _escaped(self) -> str:
        """What is between double quotes, with the characters that a backslash stands for."""
        parts: list[str] = []
        place = self._place + 1
        while True:
            letter = self._text[place : place + 1]
            if not letter:
                raise self._fault("begins with a quote that is not closed")
            if letter == '"':
                break
            if letter == "\\":
                place += 1
                parts.append(self._escape(self._text[place : place + 1]))
            else:
                parts.append(letter)
            place += 1
        self._refuse_replaced(self._text[self._place : place])
        self._place = place + 1
        self._refuse_more()
        return "".join(parts)

    def _escape(self, letter: str) -> str:
        if letter not in _ESCAPES:
            shown = f"\\{letter}" if letter.isprintable() else "a backslash at the end of a line"
            hint = r"Write \\ for a backslash, or put the value into single quotes."
            raise self._fault(f"has {shown} in double quotes, which programs read differently", hint)
        return _ESCAPES[letter]

    def _refuse_replaced(self, value: str) -> None:
        if _REPLACED.search(value):
            raise self._fault("has a $ that some programs replace by another variable, and others do not", _SINGLE)

    def _refuse_more(self) -> None:
        rest = _NOTHING.match(self._text, self._place)
        if rest is None:
            raise self._fault("goes on after its closing quote", "Put all of it into the quotes.")
        self._place = rest.end()

    def _not_an_assignment(self) -> OperatorError:
        where = f"{self._file}:{self._line()}"
        if found := _BARE_NAME.match(self._text, self._place):
            hint = f"Write {found[1]}=value, or {found[1]}= for an empty value."
            return OperatorError("has no value", where=f"{where}: {found[1]}", hint=hint)
        if self._text.startswith("$ANSIBLE_VAULT;"):
            return OperatorError("is encrypted with ansible-vault, which only Ansible reads", where=self._file)
        hint = "A name has letters, digits and '_'. Lines of comments begin with #."
        return OperatorError("expected NAME=value", where=where, hint=hint)

    def _fault(self, what: str, hint: str | None = None) -> OperatorError:
        return OperatorError(what, where=f"{self._file}:{self._line()}: {self._name}", hint=hint)

    def _line(self) -> int:
        place, line = self._seen
        self._seen = (self._place, line + self._text.count("\n", place, self._place))
        return self._seen[1]


def _quotes_for(value: str) -> str:
    return r"Put it into double quotes, with \" for each of its own." if "'" in value else _SINGLE
