"""Reading what names models of a document: they are resolved one at a time, as they are named."""

from __future__ import annotations

from typing import Any

from bokeh.core.serialization import Deserializer, UnknownReferenceError
from bokeh.document import Document
from bokeh.model import Model


class Decoder(Deserializer):
    """Decodes values that name models of one document; bokeh's own wants a dictionary of all of them each time."""

    def __init__(self, document: Document, setter: object) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self._document = document

    def _decode_ref(self, obj: Any) -> Model:
        ident = obj["id"]
        model = self._references.get(ident) or self._document.get_model_by_id(ident)
        if model is None:
            raise UnknownReferenceError(ident)
        return model

    def _decode_object_ref(self, obj: Any) -> Model:
        known = self._document.get_model_by_id(obj["id"])
        return super()._decode_object_ref(obj) if known is None else known
