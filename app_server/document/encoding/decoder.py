"""Reading what the other end of a connection sends: values, models, arrays, within one budget for each message.

Models are resolved one at a time, as they are named; bokeh's own decoder wants a dictionary of all of them each time.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from typing import Any, Final

from bokeh.core.has_props import HasProps
from bokeh.core.serialization import DeserializationError, Deserializer, UnknownReferenceError
from bokeh.core.types import ID
from bokeh.document import Document
from bokeh.model import Model

from app_server.document import classes
from app_server.document.encoding import foreign
from app_server.document.served import ServedDocument

MAX_DEPTH: Final = 150
"""How deep values may be nested. Python's stack ends at some 250, and what was read must also be written again."""

_DTYPES: Final = frozenset(
    {"bool", "object", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""The array types of the protocol. NumPy takes others from text, such as records of a gigabyte for each item."""

BYTES_FOR_A_MODEL: Final = 2000
"""One message may bring a new model for so many bytes that it may have: making one takes 50 microseconds or more."""

LEAST_MODELS: Final = 1000
"""What any message may bring, however small its limit."""

_ID: Final = re.compile(r"[^\x00-\x1f\x7f<>&\"'`]{1,512}")
"""The ids that the other end may give. Templates write those of roots into pages as they are, bokeh's own, too."""

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


def is_plain(value: Any) -> bool:
    """Whether this is decoded already: a text, a number, a boolean or None, or a list of them."""
    return type(value) in _PLAIN or (type(value) is list and _PLAIN.issuperset(map(type, value)))


class Decoder(Deserializer):
    """Decodes values that name models of one document.

    One is for one message. `max_bytes` bounds all the bytes of its arrays together: what is unpacked, and each use of a
    buffer; and the number of models that it brings. With `any_ids` these may have any ids: no page is made of them.
    """

    def __init__(self, document: Document, setter: object, max_bytes: int, *, any_ids: bool = False) -> None:
        super().__init__(setter=setter)  # type: ignore[arg-type]
        self._document = document
        self._max_bytes = max_bytes
        self._left_bytes = max_bytes
        self._left_models = max(LEAST_MODELS, max_bytes // BYTES_FOR_A_MODEL)
        self._any_ids = any_ids
        self._depth = 0

    def _decode(self, obj: Any) -> Any:
        if type(obj) in _PLAIN or (type(obj) is list and _PLAIN.issuperset(map(type, obj))):
            return obj
        if self._depth >= MAX_DEPTH:
            self.error(f"values are nested more than {MAX_DEPTH} levels deep")
        self._depth += 1
        try:
            return super()._decode(obj)
        finally:
            self._depth -= 1

    def _decode_ref(self, obj: Any) -> Model:
        ident = obj["id"]
        model = self._references.get(ident) or self._document.get_model_by_id(ident)
        if model is None:
            raise UnknownReferenceError(ident)
        return model

    def _resolve_type(self, type: str) -> type[Model]:
        """The class of this name that the document itself uses, rather than one of another session's."""
        document = self._document
        if not isinstance(document, ServedDocument):
            return super()._resolve_type(type)
        found = classes.known(type, document.own_classes)
        if found is None or not issubclass(found, Model):
            return super()._resolve_type(type)
        if classes.is_others(found, document.modules.names()):
            self.error(f"{type[:80]!r} is a model class of another session")
        return found

    def _decode_object_ref(self, obj: Any) -> Model:
        if not isinstance(obj["id"], str):
            self.error("the id of a model is not a string")
        ident = ID(obj["id"])
        known = self._references.get(ident) or self._document.get_model_by_id(ident)
        if known is not None:
            return known
        if not (self._any_ids or _ID.fullmatch(ident)):
            self.error("the id of a model is empty, too long, or has a character that HTML gives a meaning")
        if self._left_models == 0:
            self.error("a message brings too many new models")
        self._left_models -= 1
        kind = self._resolve_type(obj["name"])
        model = kind.__new__(kind, id=ident)
        self._references[ident] = model
        if not model._initialized:
            HasProps.__init__(model)  # not the class's own: the values come from the message
        values = {name: self._decode(value) for name, value in obj.get("attributes", {}).items()}
        for name, value in values.items():
            foreign.set_foreign(model, name, value, self._setter)
        return model

    def _decode_bytes(self, obj: Any) -> Any:
        packed = obj["data"]
        data = self._inflated(packed) if isinstance(packed, str) else super()._decode_bytes(obj)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise self._too_large()
        return data

    def _inflated(self, packed: str) -> bytes:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        data = inflater.decompress(b64decode(packed, validate=True), self._left_bytes + 1)
        if not inflater.eof and len(data) <= self._left_bytes:
            self.error("an inline array is cut off")
        return data

    def _too_large(self) -> DeserializationError:
        return DeserializationError(f"the arrays of a message are larger than {self._max_bytes} bytes")

    def _decode_ndarray(self, obj: Any) -> Any:
        if obj["dtype"] not in _DTYPES:
            self.error(f"no array has the type {str(obj['dtype'])[:40]!r}")
        return super()._decode_ndarray(obj)
