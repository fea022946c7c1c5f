"""What a journal says of a document, worked out: its last whole document with the changes after it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from bokeh.document.events import DocumentPatchedEvent, ModelChangedEvent

from app_server.document import classes
from app_server.document.classes import stable_name
from app_server.document.encoding import patch
from app_server.document.saving.whole import Key, Part, encode_for_store, is_bound
from app_server.document.saving.whole_laying import lay_whole
from app_server.document.served import ServedDocument, new_document
from app_server.protocol.codec import loads


@dataclass(frozen=True)
class SavedDocument:
    """A document as it was when it was saved last: its JSON, and in `models` the JSON of each model by id."""

    content: Mapping[str, Any]
    buffers: Sequence[tuple[str, bytes]]
    models: Mapping[str, Mapping[str, Any]]


def with_tag(part: Part, saved: str, tag: str) -> Part:
    """The part with the ids of another session's models: those that begin with the tag `saved` begin with `tag`."""
    return (part[0] if saved == tag else part[0].replace(f'"{saved}-'.encode(), f'"{tag}-'.encode())), part[1]


def saved_document(
    document: ServedDocument, whole: Part, changes: Sequence[Part], changed: Collection[Key], max_bytes: int
) -> SavedDocument:
    """What the changes have made of the whole; PeerError if something does not fit together.

    Bounds of automatic ranges are left out unless `changed` names them: a browser has worked them out.
    `document` is the new one, whose own model classes stand for those of the same names that the saved one had.
    Nothing of the application's runs: the changes are carried out on a document that has no callbacks.
    """
    own = {stable_name(kind.__qualified_model__): kind for kind in classes.of_modules(document.modules.names())}
    read = partial(_loads, names={name: kind.__qualified_model__ for name, kind in own.items()})
    content, buffers = _replayed(whole, changes, changed, max_bytes, read) if changes else whole
    fields = read(content)["doc"]
    return SavedDocument(fields, buffers, {model["id"]: model for model in _models_in(fields["roots"])})


def _replayed(
    whole: Part, changes: Sequence[Part], changed: Collection[Key], max_bytes: int, read: Callable[[bytes], Any]
) -> Part:
    copy = new_document("")
    with copy.at_work():
        lay_whole(copy, read(whole[0])["doc"], whole[1], max_bytes)
        for content, buffers in changes:
            events = patch.read_events(copy, read(content), buffers, setter=None, max_bytes=max_bytes)
            for event in events:
                if not _is_worked_out(event, changed):
                    patch.apply(copy, event)
        replayed = encode_for_store(copy)
    copy.destroy()
    return replayed


def _is_worked_out(event: DocumentPatchedEvent, changed: Collection[Key]) -> bool:
    if not isinstance(event, ModelChangedEvent) or not is_bound(event.model, event.attr):
        return False
    return (event.model.id, event.attr) not in changed


def _loads(content: bytes, names: Mapping[str, str]) -> Any:
    """What `codec.dumps` has written, texts with lone surrogates included; `names` are those of classes now."""
    value = loads(content)
    if names:
        for model in _models_in(value):
            model["name"] = names.get(stable_name(model["name"]), model["name"])
    return value


def _models_in(value: Any) -> Iterator[dict[str, Any]]:
    """The definitions of all models in this JSON."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if item.get("type") == "object" and isinstance(item.get("id"), str):
                yield item
            item = item.values()
        waiting.extend(child for child in item if isinstance(child, dict | list))
