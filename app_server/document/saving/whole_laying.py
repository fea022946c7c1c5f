"""A whole saved document, laid over a document that has some of its models, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from bokeh.core.has_props import HasProps
from bokeh.core.serialization import Buffer
from bokeh.core.types import ID
from bokeh.model import Model

from app_server.document.encoding.decoder import Decoder
from app_server.document.encoding.foreign import lay_foreign, reset
from app_server.document.saving.typed import typed
from app_server.document.saving.whole import is_left_out
from app_server.document.served import ServedDocument

DOCUMENT = ""
"""Stands for the document itself where a model's id is expected: its roots and its title may change too."""

_ROOTS = frozenset({(DOCUMENT, "RootAdded"), (DOCUMENT, "RootRemoved")})
_TITLE = (DOCUMENT, "TitleChanged")


def lay_whole(
    document: ServedDocument,
    content: Mapping[str, Any],
    buffers: Sequence[tuple[str, bytes]],
    max_bytes: int,
    only: Collection[tuple[str, str]] | None = None,
    made: Mapping[str, Model] = MappingProxyType({}),
) -> None:
    """Give the document the values, roots and title of a saved one, without an event.

    Models of the same id and class are kept, with their callbacks, and those that callbacks have `made` in the place of
    saved ones, by the ids of these; all others are made from JSON. With `only`, what is kept gets only these
    properties, as (saved id, name). Raises ValueError and more, before anything has changed, if the content is
    malformed.
    """
    decoder = _Decoder(document, max_bytes, made)
    roots = decoder.decode(content["roots"], as_buffers(buffers))
    title = content["title"]
    for ident, model, values in decoder.values:
        if document.get_model_by_id(model.id) is model:
            values.pop("name", None)  # templates find roots by it, and Panel numbers names through all sessions
            if only is None:
                _reset(model, values)
            else:
                values = {name: value for name, value in values.items() if (ident, name) in only}
            values = {attr: typed(model._property_values.get(attr), value) for attr, value in values.items()}
        lay(model, values)
    document.take_roots(
        roots if only is None or not _ROOTS.isdisjoint(only) else document.roots,
        title if only is None or _TITLE in only else document.title,
    )


class _Decoder(Decoder):
    """Takes the document's own models for the saved ones, and keeps their values until all of them are decoded."""

    def __init__(self, document: ServedDocument, max_bytes: int, made: Mapping[str, Model]) -> None:
        super().__init__(document, None, max_bytes, any_ids=True)
        self._made = made
        self.values: list[tuple[ID, Model, dict[str, Any]]] = []

    def _decode_object_ref(self, obj: Any) -> Model:
        ident = ID(obj["id"])
        model = self._references.get(ident)
        if model is not None:
            return model
        model = self._made.get(ident) or self._document.get_model_by_id(ident)
        if model is None or not is_of(model, obj):
            kind = self._resolve_type(obj["name"])
            model = kind.__new__(kind, id=ident)
            if not model._initialized:
                HasProps.__init__(model)  # not the class's own: the values come from what was saved
        self._references[ident] = model
        values = {name: self._decode(value) for name, value in obj.get("attributes", {}).items()}
        self.values.append((ident, model, values))
        return model


def lay(model: Model, values: Mapping[str, Any]) -> None:
    """Give the model these values, without an event; those of properties that it has no more are left out."""
    known: Collection[str] = type(model).properties(_with_props=True)
    for name, value in values.items():
        if name in known:
            lay_foreign(model, name, value)


def _reset(model: Model, saved: Mapping[str, Any]) -> None:
    """Give the properties their defaults that had them when the model was saved; a model that was excluded has all."""
    for name in set(model._property_values).difference(saved) if saved else ():
        if name != "name" and model.lookup(name).serialized and not is_left_out(model, name):
            reset(model, name)


def is_of(model: Model, saved: Mapping[str, Any]) -> bool:
    """Whether the saved model was of this model's class."""
    return bool(type(model).__qualified_model__ == saved["name"])


def as_buffers(buffers: Sequence[tuple[str, bytes]]) -> list[Buffer]:
    """The saved buffers for a decoder."""
    return [Buffer(ID(ident), payload) for ident, payload in buffers]
