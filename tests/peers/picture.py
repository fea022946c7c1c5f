"""A document as JSON in which two servers that did the same agree: ids and places of definitions are taken out.

Each model gets a number in the order of a walk from the roots, attributes by name. It is written out when the walk
first comes to it, and is a reference from then on. Arrays become their numbers, whether they came as buffers or inline.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from tests.support.client import Received

Json = Any

_OWN_MODULE = re.compile(r"bokeh_app_[0-9a-f]+")
"""What servers call the module of a script: different in each session."""

ENCODES_LATE = not version("bokeh").startswith("3.9.")
"""Whether the stock server encodes what a callback has changed after its end, so that each event has the last value."""

_LONG_BYTES = 10_000
"""Arrays above this are compared by their hash."""


@dataclass
class Album:
    """The models of one session's document, and what was heard of them since.

    `defined` maps an id to the class and attributes as last heard, `numbers` to its place in the order of the walk.
    """

    defined: dict[str, dict[str, Json]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def document(self, reply: Received) -> Json:
        """The picture of a PULL-DOC-REPLY."""
        doc = self._learned(reply.content["doc"], reply.buffers)
        # Servers add the classes of other applications, too, as long as they know them.
        defs = {known["name"]: self._drawn(known) for known in doc.get("defs", [])}
        used = {found["name"] for found in self.defined.values()}
        return {
            "title": doc["title"],
            "roots": [self._drawn(root) for root in doc["roots"]],
            "defs": defs if used & defs.keys() else {},
            "callbacks": self._drawn(doc.get("callbacks", {})),
            "config": self._drawn(doc.get("config", {})),
            "version": doc["version"],
        }

    def events(self, pushed: Sequence[Received]) -> list[Json]:
        """The pictures of the events of these patches, in however many messages they came.

        What happened to one property is in order, for each property in turn: the stock server says last what came first
        where one change has led to another.
        """
        messages = [self._learned(message.content, message.buffers) for message in pushed]
        waiting = [event for message in messages for event in message["events"]]
        drawn: list[Json] = []
        while waiting:
            first = min(waiting, key=self._place)
            drawn += [self._drawn(event) for event in waiting if self._place(event) == self._place(first)]
            waiting = [event for event in waiting if self._place(event) != self._place(first)]
        return drawn

    def _place(self, event: Mapping[str, Json]) -> tuple[int, str]:
        """Where the event belongs: models that are not drawn yet come last, and what has none comes first."""
        if event["kind"] not in ("ModelChanged", "ColumnDataChanged", "ColumnsStreamed", "ColumnsPatched"):
            return -1, ""
        return self.numbers.get(event["model"]["id"], sys.maxsize), event["attr"]

    def _learned(self, content: Json, buffers: Sequence[tuple[str, bytes]]) -> Json:
        content = _with_arrays(content, dict(buffers))
        for found in _objects(content):
            self.defined[found["id"]] = found
        return content

    def _drawn(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self._drawn(item) for item in value]
        if not isinstance(value, dict):
            return value
        if _is_reference(value):
            return self._model(value["id"])
        drawn = {key: self._drawn(value[key]) for key in sorted(value)}
        if value.get("type") == "set":
            drawn["entries"] = sorted(drawn["entries"], key=json.dumps)
        return drawn

    def _model(self, ident: str) -> Json:
        if ident in self.numbers or ident not in self.defined:
            return f"model {self.numbers.get(ident, 'that nobody has defined')}"
        number = self.numbers[ident] = len(self.numbers)
        known = self.defined[ident]
        attributes = known.get("attributes", {})
        return {
            "model": number,
            "class": known["name"],
            "attributes": {name: self._drawn(attributes[name]) for name in sorted(attributes)},
        }


def _is_reference(value: Mapping[str, Json]) -> bool:
    return "id" in value and (value.get("type") == "object" or value.keys() == {"id"})


def _objects(value: Json) -> Iterator[dict[str, Json]]:
    if isinstance(value, dict):
        if value.get("type") == "object" and "id" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)


def _with_arrays(value: Json, buffers: Mapping[str, bytes]) -> Json:
    """The same with every array of numbers as its numbers, and every other run of bytes as text."""
    if isinstance(value, list):
        return [_with_arrays(item, buffers) for item in value]
    if isinstance(value, str):
        return _OWN_MODULE.sub("application", value)
    if not isinstance(value, dict):
        return value
    if value.get("type") == "bytes":
        return {"type": "bytes", "data": _payload(value, buffers).hex()}
    if value.get("type") == "ndarray" and isinstance(value["array"], dict) and value["array"].get("type") == "bytes":
        return {**value, "array": _numbers(value, _payload(value["array"], buffers))}
    return {key: _with_arrays(item, buffers) for key, item in value.items()}


def _payload(value: Mapping[str, Json], buffers: Mapping[str, bytes]) -> bytes:
    data = value["data"]
    return buffers[data["id"]] if isinstance(data, dict) else gzip.decompress(base64.b64decode(data))


def _numbers(value: Mapping[str, Json], payload: bytes) -> list[str] | str:
    if len(payload) > _LONG_BYTES:
        return f"{len(payload)} bytes with the hash {hashlib.sha256(payload).hexdigest()}"
    kind = np.dtype(value["dtype"]).newbyteorder("<" if value["order"] == "little" else ">")
    # As text, for not-a-number does not equal itself.
    return [repr(number) for number in np.frombuffer(payload, dtype=kind).tolist()]


def comparable(report: Json) -> Json:
    """A visit's report as far as both servers agree: if the stock one encodes late, events without their values."""
    if not ENCODES_LATE or report["events"] is None:
        return report
    return {**report, "events": [_outline(event) for event in report["events"]]}


def _outline(event: Mapping[str, Json]) -> Json:
    model = event.get("model")
    number = f"model {model['model']}" if isinstance(model, dict) else model
    return {"kind": event["kind"], "attr": event.get("attr"), "model": number}


def shape(value: Json) -> Json:
    """The same without what changes with time: which models there are, and in which properties of which others."""
    if isinstance(value, dict):
        inner = {key: found for key, item in value.items() if (found := shape(item))}
        return {"class": value["class"], **inner} if "class" in value else inner
    return [found for item in value if (found := shape(item))] if isinstance(value, list) else None


def differences(one: Json, other: Json, place: str = "") -> Iterator[str]:
    """Where two pictures differ, a line each: the place, and what the one and the other have there."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}, key=str):
            yield from differences(one.get(key, _NOTHING), other.get(key, _NOTHING), f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        for index, (left, right) in enumerate(itertools.zip_longest(one, other, fillvalue=_NOTHING)):
            yield from differences(left, right, f"{place}[{index}]")
    elif type(one) is not type(other) or one != other:
        yield f"{place or '.'}: {_short(one)} != {_short(other)}"


class _Nothing:
    def __repr__(self) -> str:
        return "(nothing)"


_NOTHING = _Nothing()


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}…"
