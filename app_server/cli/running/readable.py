"""Values of a saved document as people read them: arrays by their kind, size and first items, models by their names."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final

from app_server.errors import in_one_line

_FIRST: Final = 5
"""How many items of an array or a list are shown."""

_LONGEST: Final = 200
"""How many letters of a text are shown, and of what is not known here."""

_DEEPEST: Final = 5

_MOST_BYTES: Final = 1024 * 1024

_CODES: Final = {
    "bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I", "int64": "q",
    "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip
"""The kinds of arrays that bokeh sends as bytes, and what `struct` calls them."""


class Reader:
    """Makes JSON of a document readable. `buffers` are the arrays it refers to, `models` what models are called."""

    def __init__(self, buffers: Mapping[str, bytes], models: Mapping[str, str]) -> None:
        self._buffers = buffers
        self._models = models

    def text(self, value: Any, depth: int = 0) -> str:
        """The value in one line."""
        if isinstance(value, str):
            return _cut(in_one_line(json.dumps(value, ensure_ascii=False)))
        if not isinstance(value, list | dict):
            return json.dumps(value)
        if depth > _DEEPEST:
            return "…"
        if isinstance(value, list):
            return f"[{self._items(value, len(value), depth)}]"
        return self._of_kind(value, depth)

    def _of_kind(self, value: Mapping[str, Any], depth: int) -> str:
        kind = value.get("type")
        if kind == "ndarray":
            return self._array(value, depth)
        if kind == "map":
            return self._entries(value.get("entries", ()), depth)
        if kind in ("number", "symbol"):
            return str(value.get("value", value.get("name")))
        if kind == "bytes":
            return f"{len(self._bytes(value))} bytes"
        if isinstance(value.get("id"), str):
            return self._models.get(value["id"], value["id"])
        return self._entries(list(value.items()), depth) if kind is None else _cut(json.dumps(value))

    def _entries(self, entries: Any, depth: int) -> str:
        pairs = [pair for pair in entries if isinstance(pair, list | tuple) and len(pair) == 2]
        texts = [f"{self.text(name, depth + 1)}: {self.text(item, depth + 1)}" for name, item in pairs]
        return f"{{{', '.join(texts)}}}"

    def _array(self, value: Mapping[str, Any], depth: int) -> str:
        shape = tuple(number for number in value.get("shape", ()) if isinstance(number, int))
        about = f"{value.get('dtype')} array, shape {' × '.join(map(str, shape)) or '-'}"
        array = value.get("array")
        if isinstance(array, list):
            return f"{about}: {self._items(array, len(array), depth)}"
        first = _first(self._bytes(array), str(value.get("dtype")), value.get("order"))
        return f"{about}: {self._items(first, prod(shape), depth)}" if first else about

    def _items(self, items: Sequence[Any], number: int, depth: int) -> str:
        """The first items of so many."""
        shown = [self.text(item, depth + 1) for item in items[:_FIRST]]
        return ", ".join([*shown, f"… ({number})"] if number > len(shown) else shown)

    def _bytes(self, value: Any) -> bytes:
        """The bytes that this JSON stands for; none if they are not there."""
        data = value.get("data", value) if isinstance(value, dict) else value
        if isinstance(data, dict):
            return self._buffers.get(str(data.get("id")), b"")
        try:
            return _unpacked(base64.b64decode(data)) if isinstance(data, str) else b""
        except (binascii.Error, zlib.error):
            return b""


def _unpacked(data: bytes) -> bytes:
    """The bytes, without the compression that they have inside of JSON; of very many, only the first."""
    return zlib.decompressobj(wbits=31).decompress(data, _MOST_BYTES) if data.startswith(b"\x1f\x8b") else data


def _first(data: bytes, dtype: str, order: object) -> list[Any]:
    """The first items of an array of this kind; none if that is not known here."""
    code = _CODES.get(dtype)
    if code is None:
        return []
    number = min(_FIRST, len(data) // struct.calcsize(f"={code}"))
    layout = struct.Struct(f"{'>' if order == 'big' else '<'}{number}{code}")
    return list(layout.unpack(data[: layout.size]))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} letters)"
