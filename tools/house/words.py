"""Unwanted words: those that sound foreign in English, and names that were replaced.

Marker words are counted in what people read: documentation, and the strings and comments of code. Old names are not
allowed anywhere, including identifiers.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.house.sources import Fault, Source

MARKERS: Mapping[str, str] = {
    "alone": "only, by itself",
    "anew": "again",
    "is told": "is signalled, hears, reads",
    "is no": "is not a, there is no",
    "whoever": "anyone who",
    "somebody": "someone, a user",
    "nobody": "no one",
    "so that": "so, to",
    "counts": "applies, takes effect",
    "stands in": "replaces",
    "takes up": "uses, occupies",
    "makes of": "does with",
    "amiss": "wrong",
    "befalls": "happens to",
}
"""For each marker word, what a manual says instead."""

OLD_NAMES: Mapping[str, str] = {
    "zygote": "fork server",
    "nursery": "fork server",
    "wards": "session processes",
    "crew": "worker group",
    "fellow": "peer",
    "newcomer": "joining",
    "elder": "predecessor",
    "heir": "successor",
    "leash": "lifeline",
    "rehearsal": "warmup",
    "specimen": "sample",
    "teller": "metrics reporter",
    "tallies": "child metrics",
    "ledger": "totals",
    "slowdown": "throttle",
    "session_box": "session_socket",
    "keep_apart": "isolate",
    "turn_away": "deny",
    "MarkedSelector": "TimedSelector",
    "Letter": "Message",
    "Gate": "AuthBackend",
    "Desk": "TurnQueue",
    "Outlet": "FrameSink",
    "Solo": "SessionProcess",
    "Birth": "SessionSpec",
    "Answering": "BaseHandler",
    "Shifts": "ElasticWorkerGroup",
}
"""The new name for each name that was replaced. A lower-case one is found in any case."""

TEXTS = ("README.md", "CHANGELOG.md", "app_server", "docs", "examples", "deploy", "ansible")
EVERYTHING = (*TEXTS, "ARCHITECTURE.md", "CONTRIBUTING.md", "Makefile", "bench", "tools", "tests", "docker")
OWN = ("tools/house/", "tests/unit/tools/house/")
SUFFIXES = frozenset(".py .md .html .j2 .txt .yaml .yml .toml .conf .cfg .sh .service .js".split()) | {""}


def read_texts(root: Path, places: Sequence[str]) -> list[Source]:
    """The text files in these files and folders, without this tool, which contains the words."""
    paths = (path for place in places for path in _files(root / place))
    named = ((str(path.relative_to(root)), path) for path in paths if path.suffix in SUFFIXES)
    return [Source(name, path.read_text("utf-8", "replace")) for name, path in named if not name.startswith(OWN)]


def is_read(path: str) -> bool:
    """Whether marker words are counted in a file: it is in one of `TEXTS`."""
    return path in TEXTS or path.partition("/")[0] in TEXTS


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif "__pycache__" not in path.parts and path.is_dir():
        for child in sorted(path.iterdir()):
            yield from _files(child)


def marker_words(texts: Iterable[Source]) -> list[Fault]:
    """Each marker word in what people read, with its place; the fault's text is the word."""
    pattern = _any_of(MARKERS, re.IGNORECASE)
    return [
        Fault(source.path, line + text.count("\n", 0, found.start()), re.sub(r"\s+", " ", found[0].lower()))
        for source in texts
        for line, text in prose(source)
        for found in pattern.finditer(text)
    ]


def prose(source: Source) -> Iterator[tuple[int, str]]:
    """The parts of a file that people read, each with its line: all of it, or a Python file's strings and comments."""
    if not source.path.endswith(".py"):
        yield 1, source.text
        return
    inside: set[int] = set()
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
            inside.update(range(node.lineno, node.end_lineno or node.lineno))
    for number, line in enumerate(source.text.splitlines(), 1):
        comment = COMMENT.search(line)
        if comment is not None and number not in inside:
            yield number, comment[0]


COMMENT = re.compile(r"(?:^\s*|\s\s)#\s.*")


def too_many(found: Sequence[Fault], ceiling: int) -> list[Fault]:
    """If there are more marker words than the ceiling, a fault for each place and one with the numbers."""
    if len(found) <= ceiling:
        return []
    return [
        *(Fault(each.path, each.line, f'"{each.text}": say {MARKERS[each.text]}') for each in found),
        Fault("pyproject.toml", None, f"{len(found)} marker words ({summary(found)}); {ceiling} are allowed"),
    ]


def summary(found: Iterable[Fault]) -> str:
    """How often each word was found, the most frequent first."""
    counts = Counter(each.text for each in found).most_common()
    return ", ".join(f"{word} {count}" for word, count in counts)


def old_names(texts: Iterable[Source]) -> list[Fault]:
    """A fault for each old name, in an identifier or in prose."""
    return [
        Fault(source.path, number, f"{found[0]} is called {_new_name(found[0])} now")
        for source in texts
        if _may_have_old_name(source.text)
        for number, line in enumerate(source.text.splitlines(), 1)
        for found in OLD.finditer(line)
    ]


def _may_have_old_name(text: str) -> bool:
    """A quick test, a hundred times faster than `OLD`: most files have no old name."""
    small = text.lower()
    return any(name in (small if name.islower() else text) for name in OLD_NAMES)


def _new_name(found: str) -> str:
    small = found.lower()
    spelled = (found, small, small.removesuffix("s"), small.removesuffix("es"))
    return next(OLD_NAMES[name] for name in spelled if name in OLD_NAMES)


def _any_of(words: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """A pattern that finds these words, even across the end of a line."""
    return re.compile(r"\b(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in words) + r")\b", flags)


def _as_identifier(word: str) -> str:
    """A pattern for a name as a word or a part of an identifier, and for the plural of a lower-case one."""
    if word != word.lower():
        return rf"(?<![A-Za-z]){word}(?![a-z])"
    return rf"(?<![A-Za-z])(?:{word}|{word.capitalize()})(?:s|es)?(?![a-z])"


OLD = re.compile("|".join(map(_as_identifier, OLD_NAMES)))
