"""Encodes documents and their events as JSON, faster than bokeh's Serializer and with the same results.

What costs the stock serializer its time is that it computes the default of every property of every model, only to drop
it. Here a plan for each model class, made once, says which properties are plain; then only the values that were set
are read. Whatever the plan does not cover is encoded by the stock serializer; the result is the same.
"""

from __future__ import annotations

import gzip
import sys
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from bokeh.core.has_props import HasProps
from bokeh.core.property.descriptors import PropertyDescriptor
from bokeh.core.property.wrappers import (
    PropertyValueColumnData,
    PropertyValueContainer,
    PropertyValueDict,
    PropertyValueList,
)
from bokeh.core.serialization import Serializer
from bokeh.model import Model
from bokeh.models.widgets import PasswordInput
from bokeh.settings import settings

from app_server.document import classes
from app_server.protocol.codec import Buffer

MAX_SAFE_INT = 2**53 - 1
"""What JavaScript keeps exactly (ECMA-262, Number.MAX_SAFE_INTEGER)."""

NOTHING: Mapping[str, Collection[str]] = {}

_INLINE_COMPRESSION = 1
"""gzip level of inline arrays: a reconnect should be quick, and level 6 takes five times as long for a tenth less."""


class _Plan:
    """How the models of one class are encoded: its properties in order, and which of them take a detour."""

    __slots__ = ("name", "order", "plain", "readonly", "required", "secret")

    def __init__(self, cls: type[Model]) -> None:
        self.secret = issubclass(cls, PasswordInput)
        self.name = cls.__qualified_model__
        self.order: dict[str, int] = {}
        self.readonly: dict[str, int] = {}
        self.plain: set[str] = set()
        self.required: list[str] = []
        for position, name in enumerate(cls.properties(_with_props=True)):
            descriptor = cls.lookup(name)
            if descriptor.readonly:
                self.readonly[name] = position
            if not descriptor.serialized:
                continue
            self.order[name] = position
            if type(descriptor).get_value is PropertyDescriptor.get_value:
                self.plain.add(name)
            if _is_required(cls, descriptor):
                self.required.append(name)


def _is_required(cls: type[Model], descriptor: PropertyDescriptor[Any]) -> bool:
    from bokeh.core.property.singletons import Undefined

    overrides = cls._overridden_defaults()
    default = overrides.get(descriptor.name, descriptor.property._default)
    return default is Undefined


_plans: dict[type[Model], _Plan | None] = classes.table()


def _plan_for(cls: type[Model]) -> _Plan | None:
    """The plan of this class, or None if it encodes its instances in a way of its own."""
    try:
        return _plans[cls]
    except KeyError:
        stock = (
            cls.to_serializable is Model.to_serializable
            and cls.properties_with_values is HasProps.properties_with_values
            and cls.query_properties_with_values is HasProps.query_properties_with_values
        )
        plan = _plans[cls] = _Plan(cls) if stock else None
        return plan


class Encoder(Serializer):
    """Encodes values as bokeh's Serializer does; one instance for all that goes into one message.

    `clients_have(model)` says which models need only be named. With `inline` arrays are put into the JSON, else they
    become `buffers`. With `copy` the arrays may change afterwards without changing what was encoded. With `readonly`
    what only browsers set is encoded, too, such as an uploaded file. `left_out` names values that are not encoded, as
    the properties of each model's id.
    """

    def __init__(
        self,
        *,
        clients_have: Callable[[Model], bool] = lambda model: False,
        inline: bool = False,
        copy: bool = True,
        readonly: bool = False,
        left_out: Mapping[str, Collection[str]] = NOTHING,
    ) -> None:
        super().__init__(deferred=not inline)
        self._clients_have = clients_have
        self._inline = inline
        self._copy = copy
        self._readonly = readonly
        self._left_out = left_out
        self._model_refs: dict[str, dict[str, str]] = {}
        self.binary: list[Buffer] = []
        self.holds_secrets = False
        """Whether the values of a password input were encoded."""

    @cached_property
    def _all_values(self) -> bool:
        return bool(settings.serialize_include_defaults())

    def mark(self) -> tuple[int, int]:
        """How far the encoder is, for `rewind`."""
        return len(self._model_refs), len(self.binary)

    def rewind(self, mark: tuple[int, int]) -> None:
        """Forget what was encoded since the mark: it is not sent, and later values must not refer to it."""
        models, buffers = mark
        for ident in list(self._model_refs)[models:]:
            del self._model_refs[ident]
        del self.binary[buffers:]

    # References are kept by model id: an object's address may be taken by another model before the message is done.
    def has_ref(self, obj: Any) -> bool:
        return obj.id in self._model_refs if isinstance(obj, Model) else super().has_ref(obj)

    def add_ref(self, obj: Any, ref: Any) -> None:
        if isinstance(obj, Model):
            self._model_refs[obj.id] = ref
        else:
            super().add_ref(obj, ref)

    def get_ref(self, obj: Any) -> Any:
        if not isinstance(obj, Model):
            return super().get_ref(obj)
        ref = self._model_refs.get(obj.id)
        if ref is None and self._clients_have(obj):
            return {"id": obj.id}
        return ref

    def encode(self, obj: Any) -> Any:
        encoder = _encoders.get(type(obj))
        if encoder is None:
            encoder = _encoder_for(type(obj))
        return encoder(self, obj)

    def _encode_model(self, model: Model) -> Any:
        ref = self.get_ref(model)
        if ref is not None:
            return ref
        plan = _plan_for(type(model))
        if plan is None or self._all_values:
            return self._encode(model)
        ident = model.id
        self._model_refs[ident] = {"id": ident}
        attributes = self._attributes(model, plan)
        self.holds_secrets = self.holds_secrets or plan.secret
        for name in self._left_out.get(ident, ()):
            attributes.pop(name, None)
        if attributes:
            return {"type": "object", "name": plan.name, "id": ident, "attributes": attributes}
        return {"type": "object", "name": plan.name, "id": ident}

    def _attributes(self, model: Model, plan: _Plan) -> dict[str, Any]:
        values = model._property_values
        unstable = model._unstable_default_values
        themed = model.themed_values() or {}
        for name in plan.required:
            if name not in values and name not in themed:
                model.lookup(name).get_value(model)  # raises the error that says which value is missing
        order, plain, encoders = plan.order, plan.plain, _encoders
        if self._readonly and plan.readonly:
            order = order | {name: plan.readonly[name] for name in plan.readonly.keys() & values.keys()}
        names = values.keys() | unstable.keys() | themed.keys() if themed or unstable else values
        attributes: dict[str, Any] = {}
        for name in sorted((name for name in names if name in order), key=order.__getitem__):
            if name in plain and name in values:
                value = values[name]
            else:
                value = model.lookup(name).get_value(model)
            if name in unstable and name not in themed and isinstance(value, PropertyValueContainer):
                continue  # a list or dictionary that the browser makes for itself
            encoder = encoders.get(type(value)) or _encoder_for(type(value))
            attributes[name] = encoder(self, value)
        return attributes

    def _encode_bytes(self, obj: bytes | memoryview) -> Any:
        if self._inline:
            packed = gzip.compress(obj, compresslevel=_INLINE_COMPRESSION, mtime=0)
            return {"type": "bytes", "data": b64encode(packed).decode("ascii")}
        payload: bytes | memoryview
        if isinstance(obj, memoryview):
            payload = obj.tobytes() if self._copy or not obj.contiguous else _as_octets(obj)
        else:
            payload = bytes(obj) if self._copy and not isinstance(obj, bytes) else obj
        ident = f"b{len(self.binary)}"
        self.binary.append((ident, payload))
        return {"type": "bytes", "data": {"id": ident}}

    def _fast_array(self, obj: np.ndarray[Any, Any]) -> Any:
        dtype = _SENT_AS_THEY_ARE.get(obj.dtype)
        if dtype is None or obj.ndim == 0 or not obj.flags.c_contiguous:
            return self._encode(obj)
        data = self._encode_bytes(obj.data)
        return {"type": "ndarray", "array": data, "shape": list(obj.shape), "dtype": dtype, "order": sys.byteorder}

    def _fast_list(self, obj: list[Any]) -> list[Any]:
        if len(obj) > 16:
            kinds = set(map(type, obj))
            if kinds <= AS_IS or (kinds == {float} and isfinite(sum(obj))):
                return list(obj)
            if kinds == {int} and -MAX_SAFE_INT < min(obj) and max(obj) <= MAX_SAFE_INT:
                return list(obj)
        encoders = _encoders
        return [(encoders.get(type(item)) or _encoder_for(type(item)))(self, item) for item in obj]

    def _fast_dict(self, obj: dict[Any, Any]) -> dict[str, Any]:
        if not obj:
            return {"type": "map"}
        encode, encoders = self.encode, _encoders
        entries = [
            (
                key if type(key) is str else encode(key),
                (encoders.get(type(value)) or _encoder_for(type(value)))(self, value),
            )
            for key, value in obj.items()
        ]
        return {"type": "map", "entries": entries}


def _as_octets(view: memoryview) -> memoryview:
    return view.cast("B") if view.nbytes else memoryview(b"")


_SENT_AS_THEY_ARE = {
    np.dtype(name): name for name in ("float64", "float32", "int32", "uint32", "int16", "uint16", "int8", "uint8")
}
"""Arrays that BokehJS takes in their own bytes; others, and those of a foreign byte order, bokeh converts."""

AS_IS = {str, bool, type(None)}

_encoders: dict[type, Callable[[Encoder, Any], Any]] = classes.table()


def _encoder_for(kind: type) -> Callable[[Encoder, Any], Any]:
    """The way to encode values of exactly this type, remembered for the next one."""
    encoder: Callable[[Encoder, Any], Any]
    if kind in Serializer._encoders:
        encoder = Serializer.encode
    elif kind in AS_IS:
        encoder = _as_is
    elif kind is int:
        encoder = Encoder._encode_int
    elif kind is float:
        encoder = _encode_float
    elif kind in (list, PropertyValueList):
        encoder = Encoder._fast_list
    elif kind in (dict, PropertyValueDict, PropertyValueColumnData):
        encoder = Encoder._fast_dict
    elif kind is np.ndarray:
        encoder = Encoder._fast_array
    elif issubclass(kind, Model):
        encoder = Encoder._encode_model
    else:
        encoder = Serializer.encode
    _encoders[kind] = encoder
    return encoder


def _as_is(encoder: Encoder, value: Any) -> Any:
    return value


def _encode_float(encoder: Encoder, value: float) -> Any:
    return value if isfinite(value) else encoder._encode_float(value)
