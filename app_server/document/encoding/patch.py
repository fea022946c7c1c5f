"""What a client sends, applied to the document: patches, event by event, and whole documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bokeh.core.serialization import Buffer, DeserializationError, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.document.config import DocumentConfig
from bokeh.document.events import DocumentPatchedEvent, ModelChangedEvent
from bokeh.model import Model
from bokeh.models import DataRange1d

from app_server.document.encoding.decoder import Decoder, is_plain
from app_server.document.encoding.foreign import EVENTS, carry_out
from app_server.document.served import ServedDocument
from app_server.errors import PeerError

_OF_A_CHANGE = frozenset({"kind", "model", "attr", "new"})
"""The fields of a ModelChanged."""

_MAX_LOOKED_AT = 500_000
"""How many models the events of one message may have looked at, each whenever it is found out which models there are:
that takes half a second. A thousand roots, each added by an event of its own, take all of it."""


def is_root(document: ServedDocument, ident: str) -> bool:
    """Whether this is the id of one of the document's roots."""
    return any(root.id == ident for root in document.roots)


def read_events(
    document: ServedDocument,
    content: Mapping[str, Any],
    buffers: Sequence[tuple[str, bytes]],
    *,
    setter: object,
    max_bytes: int,
) -> Iterator[DocumentPatchedEvent]:
    """The events of a PATCH-DOC, each to be given to `apply` before the next is asked for.

    A root that the document has already is left out before it is decoded: after a reconnect BokehJS uploads all
    that it has just pulled. An event about a model that the document had once is left out too: the two ends crossed.
    PeerError if the content is malformed.
    """
    events = content.get("events")
    if not isinstance(events, list):
        raise PeerError("a PATCH-DOC lacks its events")
    decoder: Decoder | None = None
    stored: list[Buffer] = []
    looked_at = document.models.looked_at
    for event in events:
        if document.models.looked_at - looked_at > _MAX_LOOKED_AT:
            raise PeerError("the events of a PATCH-DOC change too often which models there are; send fewer at a time")
        plain = _plain_change(document, event, setter)
        if plain is not None:
            yield plain
            continue
        if not isinstance(event, dict) or not isinstance(event.get("kind"), str) or event["kind"] not in EVENTS:
            raise PeerError("a PATCH-DOC has an event of an unknown kind")
        if event["kind"] == "RootAdded" and _announces_known_root(document, event):
            continue
        if decoder is None:
            decoder = Decoder(document, setter, max_bytes)
            stored = [Buffer(ID(ident), payload) for ident, payload in buffers]
        try:
            fields = _checked(decoder.decode(event, stored))
        except UnknownReferenceError as error:
            if document.models.seen(error.id):
                continue
            raise PeerError(f"a PATCH-DOC names a model {str(error.id)[:40]!r} that the document never had") from error
        except Exception as error:  # bokeh's decoder raises whatever the data led it to; no application code runs here
            raise PeerError(f"a PATCH-DOC cannot be decoded: {str(error)[:200]}") from error
        kind = EVENTS[fields.pop("kind")]
        try:
            decoded = kind(document=document, setter=setter, **fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise PeerError(f"a PATCH-DOC has a malformed event: {str(error)[:200]}") from error
        yield decoded
    if decoder is not None:
        document.models.clients_got(decoder.has_ref)


def _plain_change(document: ServedDocument, event: Any, setter: object) -> ModelChangedEvent | None:
    """The event, if all it does is what most do: to set a property of a known model to what needs no decoding."""
    if not isinstance(event, dict) or event.keys() != _OF_A_CHANGE or event["kind"] != "ModelChanged":
        return None
    named, attr, new = event["model"], event["attr"], event["new"]
    if not isinstance(named, dict) or named.keys() != {"id"} or not isinstance(attr, str) or not is_plain(new):
        return None
    model = document.get_model_by_id(ID(named["id"])) if isinstance(named["id"], str) else None
    return None if model is None else ModelChangedEvent(document, model, attr, new, setter)  # type: ignore[arg-type]


def _checked(fields: Any) -> dict[str, Any]:
    if not isinstance(fields, dict) or not isinstance(fields.get("kind"), str):
        raise DeserializationError("an event is not a plain object")
    for name, kind in (("model", Model), ("attr", str), ("title", str), ("msg_type", str)):
        if name in fields and not isinstance(fields[name], kind):
            raise DeserializationError(f"the {name} of an event is malformed")
    return fields


def _announces_known_root(document: ServedDocument, event: Mapping[str, Any]) -> bool:
    model = event.get("model")
    return isinstance(model, dict) and isinstance(model.get("id"), str) and is_root(document, model["id"])


def apply(document: ServedDocument, event: DocumentPatchedEvent) -> None:
    """Carry out one event; callbacks of the application run, and what they raise comes through."""
    if isinstance(event, ModelChangedEvent) and isinstance(event.model, DataRange1d):
        _note_browser_range(document, event)
    carry_out(document, event)


def _note_browser_range(document: ServedDocument, event: ModelChangedEvent) -> None:
    """Remember a bound that the application has left to the browser: the browser must work it out again, not keep it,
    when it pulls the document again; else the range would no longer follow the data."""
    if event.attr in ("start", "end") and event.attr not in event.model._property_values:
        document.callbacks.browser_ranges.setdefault(event.model.id, set()).add(event.attr)


def replace_document(
    document: ServedDocument, content: Mapping[str, Any], buffers: Sequence[tuple[str, bytes]], *, max_bytes: int
) -> None:
    """Put the document of a PUSH-DOC in the place of this one; PeerError if it is malformed, and nothing changed.

    Callbacks of the application run, and what they raise comes through.
    """
    try:
        replacement = _read_document(content["doc"], buffers, max_bytes)
    except Exception as error:  # as in read_events
        raise PeerError(f"a PUSH-DOC cannot be decoded: {str(error)[:200]}") from error
    replacement._destructively_move(document)
    document.models.flush_synced()


def _read_document(fields: Mapping[str, Any], buffers: Sequence[tuple[str, bytes]], max_bytes: int) -> Document:
    made = Document()
    decoder = Decoder(made, None, max_bytes)
    read = decoder.decode(
        {name: fields[name] for name in ("roots", "title", "config") if name in fields},
        [Buffer(ID(ident), payload) for ident, payload in buffers],
    )
    if isinstance(read.get("config"), DocumentConfig):
        made._config = read["config"]
    for root in read["roots"]:
        made.add_root(root)
    made.title = read["title"]
    return made
