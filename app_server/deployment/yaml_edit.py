"""Changes values in a YAML file, and nothing else: comments, order and spelling of the rest stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import yaml

from app_server.errors import OperatorError

INDENT: Final = 2


def with_value(text: str, path: Sequence[str], value: int | float, file: str) -> str:
    """The text with this value at a path of keys, which are added where they are missing.

    A short form, such as `instances: 2` for `instances.count`, is for the caller to know. OperatorError for a place
    that cannot be changed without changing others.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None or not isinstance(root, yaml.MappingNode):
        raise OperatorError("expected lines of the form `key: value`", where=file)
    return _in_block(text, root, path, f"{value:g}" if isinstance(value, float) else str(value), file)


def _in_block(text: str, block: yaml.MappingNode, path: Sequence[str], value: str, file: str) -> str:
    found = next(((key, node) for key, node in block.value if key.value == path[0]), None)
    if found is None:
        return _added(text, block, _line(path, value, block.flow_style), file)
    key, node = found
    if node.start_mark.index < key.end_mark.index:
        where = f"{file}:{key.start_mark.line + 1}: {path[0]}"
        raise OperatorError("is an alias of another place, which would change, too", where=where, hint="Write it out.")
    if len(path) == 1:
        return _replaced(text, key, node, value)
    if isinstance(node, yaml.MappingNode):
        return _in_block(text, node, path[1:], value, file)
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
        return _replaced(text, key, node, "{" + _line(path[1:], value, True) + "}")
    where = f"{file}:{node.start_mark.line + 1}:{node.start_mark.column + 1}: {path[0]}"
    raise OperatorError("expected lines of the form `key: value`", where=where)


def _line(path: Sequence[str], value: str, flow: bool, indent: int = 0) -> str:
    """The keys and the value, in one line or in lines below each other."""
    if len(path) == 1:
        return f"{path[0]}: {value}"
    if flow:
        return f"{path[0]}: {{{_line(path[1:], value, True)}}}"
    inner = indent + INDENT
    return f"{path[0]}:\n{' ' * inner}{_line(path[1:], value, False, inner)}"


def _replaced(text: str, key: yaml.Node, node: yaml.Node, value: str) -> str:
    """The text with another value; an empty one begins and ends behind the key's colon."""
    if node.start_mark.index == node.end_mark.index:
        colon = text.index(":", key.end_mark.index) + 1
        return f"{text[:colon]} {value}{text[colon:]}"
    return f"{text[: node.start_mark.index]}{value}{text[node.end_mark.index :]}"


def _added(text: str, block: yaml.MappingNode, line: str, file: str) -> str:
    """The text with a key that the block has not had: as its first one, or at the end of the file."""
    if block.flow_style:
        inside = block.start_mark.index + 1
        return f"{text[:inside]}{line}{', ' if block.value else ''}{text[inside:]}"
    column = block.start_mark.column
    if column == 0:
        return _appended(text, block, line)
    where = block.value[0][0].start_mark.index
    indented = line.replace("\n", "\n" + " " * column)
    return f"{text[:where]}{indented}\n{' ' * column}{text[where:]}"


def _appended(text: str, block: yaml.MappingNode, line: str) -> str:
    """The text with a key behind the last one of the file, before a mark of its end."""
    end = block.end_mark.index
    before, after = text[:end].rstrip("\n"), text[end:]
    return f"{before}\n\n{line}\n{after}" if after.strip() else f"{text.rstrip(chr(10))}\n\n{line}\n"
