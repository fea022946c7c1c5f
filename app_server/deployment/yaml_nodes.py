"""YAML as it was written: text with its place, and none of YAML's guesses.

`no`, `022`, `5:30` and `1.10` stay the text that they are; the field decides what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from app_server.errors import OperatorError

# CSafeLoader where PyYAML was built with it: five times as fast, with the same marks.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Aliases can make a small file mean an endless one ("billion laughs").
MOST_NODES = 200_000
DEEPEST = 30
_NULL = "tag:yaml.org,2002:null"
_MERGE = "tag:yaml.org,2002:merge"

Value: TypeAlias = "str | list[Any] | dict[str, Any] | None"


@dataclass(frozen=True, slots=True)
class YamlPlace:
    """Where something stands: file, line and column, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class YamlEntry:
    """A value and its place; `items` for a block, `parts` for a list, `text` for all else, None for null."""

    place: YamlPlace
    text: str | None = None
    items: dict[str, YamlEntry] | None = None
    parts: list[YamlEntry] | None = None
    key_places: dict[str, YamlPlace] = field(default_factory=dict)

    def value(self) -> Value:
        """The plain value."""
        if self.items is not None:
            return {key: entry.value() for key, entry in self.items.items()}
        if self.parts is not None:
            return [entry.value() for entry in self.parts]
        return self.text

    def path_to(self, text: str, part: str = "") -> tuple[str | int, ...] | None:
        """The path to what was written as this text; else to the longest piece of it that holds `part`.

        None if nothing of it was written here. The path may lead to a key that is the text.
        """
        pieces = [(path, each) for path, each in self._written(()) if each and each in text and part in each]
        longest = max(pieces, key=lambda piece: len(piece[1]), default=None)
        return None if longest is None or (not part and longest[1] != text) else longest[0]

    def text_at(self, path: tuple[str | int, ...]) -> str:
        """What the path leads to: a text, or the key of a block or a list."""
        here = self
        for step in path:
            here = here.items[str(step)] if here.items is not None else (here.parts or [])[int(step)]
        return here.text if here.text is not None else str(path[-1])

    def _written(self, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every text with its path, keys too."""
        if self.text is not None:
            yield path, self.text
        for key, entry in (self.items or {}).items():
            yield (*path, key), key
            yield from entry._written((*path, key))
        for number, entry in enumerate(self.parts or ()):
            yield from entry._written((*path, number))

    def find(self, path: tuple[str | int, ...]) -> tuple[YamlPlace, tuple[str | int, ...]]:
        """The place of what the path leads to, and the part of the path that is written there.

        A key stands for its value. If the path leads to something that was not written, the last written step.
        """
        here, place, done = self, self.place, ()  # type: tuple[YamlEntry, YamlPlace, tuple[str | int, ...]]
        for step in path:
            if here.items is not None and step in here.items:
                place, here = here.key_places[str(step)], here.items[str(step)]
            elif here.parts is not None and isinstance(step, int) and step < len(here.parts):
                here = here.parts[step]
                place = here.place
            else:
                break
            done = (*done, step)
        return place, done


def parse(text: str, file: str) -> tuple[YamlEntry, list[OperatorError]]:
    """The entries of a YAML text, and what is wrong with it: keys that are given twice, or that are no text.

    Raises OperatorError for what is not YAML.
    """
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = str(YamlPlace(file, mark.line + 1, mark.column + 1)) if mark else file
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        rest = text.splitlines()[mark.line][mark.column :] if mark and mark.line < len(text.splitlines()) else ""
        what, hint = _explained(str(problem), rest)
        raise OperatorError(f"not YAML: {what}", where=where, hint=hint) from None
    except RecursionError:
        raise OperatorError("cannot be read: blocks are nested without end", where=file) from None
    if root is None:
        return YamlEntry(YamlPlace(file, 1, 1), items={}), []
    reading = _Reading(file)
    return reading.entry(root, 0), reading.faults


def _explained(problem: str, rest: str) -> tuple[str, str | None]:
    """PyYAML's error in words for the file's author, and what to do; `rest` is the line from there on."""
    if rest.startswith("\t"):
        return "a tab, but YAML only allows spaces", "Indent with spaces."
    if rest[:1] in tuple("@`%&*!|>") and "token" in problem:
        return f"a value cannot begin with {rest[0]!r}", "Put the value in quotes."
    if "mapping values are not allowed" in problem:
        return "a second ': ' on one line", "Put the value in quotes, or start a new line."
    return problem, None


class _Reading:
    """Turns PyYAML's nodes into entries, and collects faults on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[OperatorError] = []
        self.count = 0

    def place(self, node: yaml.Node) -> YamlPlace:
        return YamlPlace(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def entry(self, node: yaml.Node, depth: int) -> YamlEntry:
        self.count += 1
        if self.count > MOST_NODES or depth > DEEPEST:
            raise OperatorError("cannot be read: blocks are nested without end", where=str(self.place(node)))
        place = self.place(node)
        if isinstance(node, yaml.MappingNode):
            return self.block(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return YamlEntry(place, parts=[self.entry(part, depth + 1) for part in node.value])
        return YamlEntry(place, text=None if node.tag == _NULL else str(node.value))

    def block(self, node: yaml.MappingNode, depth: int) -> YamlEntry:
        items: dict[str, YamlEntry] = {}
        places: dict[str, YamlPlace] = {}
        merged: list[YamlEntry] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += self.merged(value, depth)
                continue
            name, place = self.key(key), self.place(key)
            if name in items:
                hint = f"See line {places[name].line}. Remove one of them."
                self.faults.append(OperatorError(f"{name} is given twice", where=str(place), hint=hint))
            items[name] = self.entry(value, depth + 1)
            places[name] = place
        for other in merged:
            # What is written here wins over what is merged in, and the first merged over the next.
            for name, value in (other.items or {}).items():
                if name not in items:
                    items[name], places[name] = value, other.key_places[name]
        return YamlEntry(self.place(node), items=items, key_places=places)

    def merged(self, node: yaml.Node, depth: int) -> Iterator[YamlEntry]:
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(part, yaml.MappingNode):
                yield self.entry(part, depth + 1)
            else:
                self.faults.append(OperatorError("<<: expected a block to merge", where=str(self.place(part))))

    def key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.faults.append(OperatorError("expected a key, not a block or a list", where=str(self.place(node))))
        return ""


def laid_over(under: YamlEntry, over: YamlEntry) -> YamlEntry:
    """The entries of both; if both have a value, `over` wins. A null takes away what was there.

    Blocks are laid over each other key by key, lists and values take each other's place.
    """
    if under.items is None or over.items is None:
        return over
    items, places = dict(under.items), dict(under.key_places)
    for key, entry in over.items.items():
        items[key] = laid_over(items[key], entry) if key in items else entry
        places[key] = over.key_places[key]
    return YamlEntry(over.place, items=items, key_places=places)
