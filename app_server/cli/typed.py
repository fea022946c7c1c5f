"""What several commands read from the words that follow their flags."""

from __future__ import annotations

import argparse
import math
import re

from app_server.errors import OperatorError

_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")


def word_of(namespace: argparse.Namespace, name: str) -> str | None:
    """The word after a flag that takes one, None if it was not typed."""
    words = getattr(namespace, name, None)
    return None if words is None else str(words[0])


def number_of(
    namespace: argparse.Namespace, name: str, default: float, *, low: float, high: float, whole: bool = False
) -> float:
    """The number after a flag, or the default. OperatorError for another word."""
    word = word_of(namespace, name)
    return default if word is None else read_number(word, name, low, high, whole)


def optional(namespace: argparse.Namespace, name: str, *, high: int) -> int | None:
    """The whole number after a flag, None if it was not typed."""
    word = word_of(namespace, name)
    return None if word is None else int(read_number(word, name, 1, high, True))


def read_number(word: str, name: str, low: float, high: float, whole: bool) -> float:
    """The number that this word is. OperatorError for another word."""
    try:
        value = float(word) if len(word) < 20 else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high or (whole and not word.isdecimal()):
        kind = "a whole number" if whole else "a number"
        raise OperatorError(
            f"expected {kind} from {low:g} to {high:g}, not {word!r}", where=f"--{name.replace('_', '-')}"
        )
    return value


def header_of(text: str, where: str = "--header") -> tuple[str, str]:
    """The name and the value of a header. OperatorError if the text is none."""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise OperatorError(f"expected 'NAME: VALUE', not {text[:60]!r}", where=where)
    return found[1], found[2].strip()
