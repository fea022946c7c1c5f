"""A value from one of the sources, and how words become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app_server.errors import OperatorError, did_you_mean
from app_server.settings.setting import Arity, Setting

LONGEST_QUOTE = 60
# A variable of this name and ending holds the path of a file with the secret, as container runtimes mount them.
FILE_ENDING = "_FILE"


@dataclass(frozen=True, slots=True)
class Given:
    """A value that was given, and where: the flag, the variable, or the line of the configuration file."""

    value: Any
    where: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a configuration file: a key with its values as they are written there, None for null."""

    key: str
    line: int
    value: str | list[str] | None

    @property
    def name(self) -> str:
        """The key as fields are called: flags have dashes."""
        return self.key.replace("-", "_")


def parse(setting: Setting, words: Sequence[str], where: str, source: str = "") -> Any:
    """A setting's value, read from words that `source` gives: a variable or key, which may have a reader of its own."""
    read = setting.readers.get(source, setting.parse)
    several = setting.arity not in (Arity.ONE, Arity.SWITCH)
    if not several and len(words) != 1:
        raise OperatorError(f"expected one value, not {len(words)}", where=where)
    values = []
    for word in words:
        try:
            values.append(read(word))
        except ValueError as error:
            # A secret must not appear in the message, which may be logged.
            but = "" if setting.secret else f", not {shortened(word)}"
            hint = did_you_mean(word, setting.choices) if read is setting.parse else None
            raise OperatorError(f"expected {error}{but}", where=where, hint=hint) from None
    return tuple(values) if several else values[0]


def shortened(word: str) -> str:
    """A word as an error quotes it, which stays one readable line."""
    return repr(word) if len(word) <= LONGEST_QUOTE else f"{word[:LONGEST_QUOTE]!r}..."


def words_of(setting: Setting, text: str) -> list[str]:
    """The words of a text that is one value, or several separated by commas."""
    if setting.arity in (Arity.ONE, Arity.SWITCH, Arity.REST):
        return [text]
    return [word for part in text.split(",") if (word := part.strip())]
