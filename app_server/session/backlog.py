"""What waits for one client that reads more slowly than its session changes.

A newer value of a property takes the place of the one that waits. All else stays, in its order: streams, patches of
columns, events, roots, answers, and whatever defines a model or refers to one.

A value moves forward only past what cannot depend on it. It must refer to no model, and have the columns that the one
before had; a stream or patch of its model ends that, and a root or an event ends it for all models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeAlias

from app_server.protocol import codec, messages
from app_server.protocol.codec import Buffer, Frame

Key: TypeAlias = tuple[str, str]
"""A property: the model's id and the property's name; the document has no id."""

_CONTENT = 2  # of the frames of a message, the one with its content
_buffer_numbers = count(1)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One event of a PATCH-DOC: its JSON, and the buffers that it names.

    `key` says what a later value may replace, if it has the same `shape`. What has none ends the replacing of `model`,
    or of all models if that is None; what has a key needs no `model`.
    """

    text: bytes
    buffers: tuple[Buffer, ...]
    key: Key | None = None
    shape: frozenset[str] | None = None
    model: str | None = None

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return len(self.text) + sum(memoryview(payload).nbytes for _, payload in self.buffers)


def changes_of(frames: Sequence[Frame]) -> list[Change]:
    """The events of a PATCH-DOC, each by itself; their buffers get ids that no other event has."""
    buffers = {
        codec.loads(header)["id"]: payload for (_, header), (_, payload) in zip(frames[3::2], frames[4::2], strict=True)
    }
    return [_change(event, buffers) for event in codec.loads(bytes(frames[_CONTENT][1]))["events"]]


def keys_of(content: Mapping[str, Any]) -> Iterator[Key]:
    """The properties that a client's own PATCH-DOC sets."""
    events = content.get("events")
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("kind") == "ModelChanged" and isinstance(event.get("model"), dict):
            yield str(event["model"].get("id")), str(event.get("attr"))


def _change(event: dict[str, Any], buffers: Mapping[str, codec.Payload]) -> Change:
    named: list[Buffer] = []
    refers = _rename(event.get("new"), buffers, named)
    for name in event.keys() - {"new"}:  # "model" too, for that of a new root is whole
        _rename(event[name], buffers, named)
    text, kept = codec.dumps(event), tuple(named)
    match event:
        case {"kind": "ModelChanged", "model": {"id": model}, "attr": attr, "new": new} if not refers:
            return Change(text, kept, (model, attr), _columns(new))
        case {"kind": "ColumnDataChanged", "model": {"id": model}, "attr": attr, "data": data, "cols": columns}:
            shape = (_columns(data) or frozenset()) | (frozenset() if columns is None else {"", *map(str, columns)})
            return Change(text, kept, (model, attr), shape)
        case {"kind": "TitleChanged"}:
            return Change(text, kept, ("", "title"))
        case {"kind": "ColumnsStreamed" | "ColumnsPatched", "model": {"id": model}}:
            return Change(text, kept, model=model)
    return Change(text, kept)


def _columns(value: Any) -> frozenset[str] | None:
    """The keys of a dictionary as it is encoded; None of anything else."""
    if isinstance(value, dict) and value.get("type") == "map":
        return frozenset(str(key) for key, _ in value.get("entries", ()))
    return None


def _rename(value: Any, buffers: Mapping[str, codec.Payload], named: list[Buffer]) -> bool:
    """Give the buffers in this encoded value ids of their own and add them to `named`; whether it refers to a model."""
    if isinstance(value, dict):
        if value.get("type") == "bytes" and isinstance(value["data"], dict):
            ident = f"w{next(_buffer_numbers)}"
            named.append((ident, buffers[value["data"]["id"]]))
            value["data"] = {"id": ident}
            return False
        refers, items = "id" in value, list(value.values())
    elif isinstance(value, list):
        refers, items = False, value
    else:
        return False
    for item in items:
        if isinstance(item, list | dict):
            refers = _rename(item, buffers, named) or refers
    return refers


class Backlog:
    """The changes and answers that wait for one client, in order."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[int, Change | Sequence[Frame]]] = {}  # by number, with the number of the turn
        self._latest: dict[Key, int] = {}
        self._numbers = count()
        self._turn = 0
        self._replaceable_bytes = 0
        self.size = 0
        """How many bytes wait."""
        self.replaced = 0
        """How many values were left out so far, because newer ones took their place."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def fixed_bytes(self) -> int:
        """How many bytes wait that no newer value can replace."""
        return self.size - self._replaceable_bytes

    def add_changes(self, changes: Sequence[Change]) -> None:
        """Have the changes of one turn wait."""
        self._turn += 1
        for change in changes:
            self._add_change(change)

    def add_answer(self, frames: Sequence[Frame], *, is_state: bool = False) -> None:
        """Have a message wait; one that holds the state of the document lets no newer value go before it."""
        if is_state:
            self._end_replacing(None)
        self._turn += 1
        own = [(opcode, bytes(payload)) for opcode, payload in frames]  # arrays may change before they are sent
        self._append(own, _size(own))

    def forget(self, keys: Iterator[Key]) -> None:
        """Leave out what waits of these properties: the client has set them itself meanwhile."""
        for key in keys:
            number = self._latest.pop(key, None)
            if number is not None:
                self._replaceable_bytes -= self._remove(number)

    def take(self, most_bytes: int) -> list[Sequence[Frame]]:
        """The messages that are next, at least one turn's: more turns as long as they stay below `most_bytes`."""
        taken: list[Sequence[Frame]] = []
        run: list[Change] = []
        size, last_turn = 0, None
        for number, (turn, item) in list(self._waiting.items()):
            item_size = _size(item)
            if last_turn is not None and turn != last_turn and size + item_size > most_bytes:
                break
            size, last_turn = size + item_size, turn
            self._take_out(number, item)
            if isinstance(item, Change):
                run.append(item)
            else:
                taken += _as_message(run)
                taken.append(item)
                run = []
        return taken + _as_message(run)

    def _add_change(self, change: Change) -> None:
        if change.key is None:
            self._end_replacing(change.model)
            self._append(change, change.size)
            return
        number = self._latest.get(change.key)
        before = None if number is None else self._waiting[number]
        if number is not None and before is not None and isinstance(before[1], Change):
            if before[1].shape == change.shape:
                self._waiting[number] = before[0], change
                grown = change.size - before[1].size
                self.size, self._replaceable_bytes = self.size + grown, self._replaceable_bytes + grown
                self.replaced += 1
                return
            self._replaceable_bytes -= before[1].size
        self._latest[change.key] = self._append(change, change.size)
        self._replaceable_bytes += change.size

    def _append(self, item: Change | Sequence[Frame], size: int) -> int:
        number = next(self._numbers)
        self._waiting[number] = self._turn, item
        self.size += size
        return number

    def _remove(self, number: int) -> int:
        _, item = self._waiting.pop(number)
        size = _size(item)
        self.size -= size
        return size

    def _take_out(self, number: int, item: Change | Sequence[Frame]) -> None:
        size = self._remove(number)
        if isinstance(item, Change) and item.key is not None and self._latest.get(item.key) == number:
            del self._latest[item.key]
            self._replaceable_bytes -= size

    def _end_replacing(self, model: str | None) -> None:
        for key in [key for key in self._latest if model is None or key[0] == model]:
            _, item = self._waiting[self._latest.pop(key)]
            self._replaceable_bytes -= _size(item)


def _size(item: Change | Sequence[Frame]) -> int:
    return item.size if isinstance(item, Change) else sum(len(payload) for _, payload in item)


def _as_message(changes: Sequence[Change]) -> list[Sequence[Frame]]:
    """These changes as one PATCH-DOC; none of none."""
    if not changes:
        return []
    content = b'{"events":[' + b",".join(change.text for change in changes) + b"]}"
    buffers = [buffer for change in changes for buffer in change.buffers]
    return [codec.encode(messages.PATCH_DOC, content, buffers=buffers)]
