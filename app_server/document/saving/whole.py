"""A whole document as it is saved, and what tells whether another build of the application fits it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import bokeh
from bokeh.core.types import ID
from bokeh.model import Model
from bokeh.models import ColumnarDataSource, DataRange1d
from bokeh.models.widgets import PasswordInput

from app_server.document.classes import stable_name
from app_server.document.encoding.encoder import Encoder
from app_server.document.served import ServedDocument
from app_server.protocol.codec import dumps

Part: TypeAlias = tuple[bytes, Sequence[tuple[str, bytes]]]
"""JSON and its buffers, as they are saved."""

Key: TypeAlias = tuple[str, str]
"""A property, as the id of its model and its name."""

_BOUNDS = ("start", "end")
_BARE_BYTES = 200
"""About what a model takes beside its values."""
_SECRETS = ("value", "value_input")
"""The properties of a password input that are never saved."""


def encode_for_store(document: ServedDocument, excluded: Collection[str] = ()) -> Part:
    """The whole document as the JSON of `{"doc": …}` and its buffers, which are copies.

    Unlike a document that is sent, it changes nothing in what the clients are known to have. Left out are what is
    typed into password inputs, all values of the models whose ids are `excluded`, and ranges that browsers work out.
    """
    encoder = Encoder(readonly=True, left_out=_left_out(document, excluded))
    content = {
        "version": bokeh.__version__,
        "title": document.title,
        "roots": encoder.encode(document.roots),
    }
    return dumps({"doc": content}), [(ident, bytes(payload)) for ident, payload in encoder.binary]


def _left_out(document: ServedDocument, excluded: Collection[str]) -> dict[str, Collection[str]]:
    left_out: dict[str, Collection[str]] = dict(document.callbacks.browser_ranges)
    for model in document.models:
        if model.id in excluded:
            left_out[model.id] = type(model).properties(_with_props=True)
        elif is_secret(model):
            left_out[model.id] = _SECRETS
    return left_out


def is_left_out(model: Model, attr: str) -> bool:
    """Whether this property is not saved, although the model is."""
    return is_secret(model) and attr in _SECRETS or is_bound(model, attr)


def is_bound(model: Model, attr: str) -> bool:
    """Whether this is a bound of an automatic range, which a browser works out unless the application sets it."""
    return isinstance(model, DataRange1d) and attr in _BOUNDS


def is_secret(model: Model) -> bool:
    """Whether what people type into this model is never saved."""
    return isinstance(model, PasswordInput)


def skeleton(document: ServedDocument) -> str:
    """A digest of the models' numbers and classes; two builds with the same digest have the same models.

    Names are no part of it: Panel numbers them through all sessions of a process.
    """
    own = f"{document.ids.tag}-"
    lines = sorted(
        f"{model.id.removeprefix(own)} {stable_name(type(model).__qualified_model__)}" for model in document.models
    )
    return sha256("\n".join(lines).encode()).hexdigest()[:32]


def encode_inputs(
    document: ServedDocument, changed: Iterable[Key], excluded: Collection[str] = (), *, max_bytes: int
) -> Part:
    """Of the whole document only these plain values, as (model id, property), for one that is too large to be saved.

    It holds each of the models by itself, without the others that it refers to, as if it were a root. Values that do
    not fit into `max_bytes` with those before them are left out.
    """
    left_out = _left_out(document, excluded)
    left_bytes = max_bytes
    models: dict[str, dict[str, Any]] = {}
    for ident, attr in changed:
        model = document.get_model_by_id(ID(ident))
        if model is None or attr in left_out.get(ident, ()) or isinstance(model, ColumnarDataSource):
            continue
        value = Encoder(inline=True, clients_have=lambda other: True).encode(getattr(model, attr))
        size = len(dumps(value)) + _BARE_BYTES
        if size <= left_bytes:
            left_bytes -= size
            models.setdefault(ident, _bare(model))["attributes"][attr] = value
    return dumps({"doc": {"version": bokeh.__version__, "title": document.title, "roots": list(models.values())}}), []


def _bare(model: Model) -> dict[str, Any]:
    name = {} if model.name is None else {"name": model.name}
    return {"type": "object", "name": type(model).__qualified_model__, "id": model.id, "attributes": name}


def called_models(document: ServedDocument) -> list[str]:
    """The ids of the models with callbacks in Python."""
    return [model.id for model in document.models if _has_callbacks(model)]


def lost_callbacks(document: ServedDocument, called: Iterable[str]) -> list[str]:
    """Which models had callbacks in Python when they had these ids, and have none now: other callbacks had made them.

    Each is named for the log by its class and its name.
    """
    found = [document.get_model_by_id(ID(ident)) for ident in called]
    return sorted(
        type(model).__name__ + (f" {model.name!r}" if model.name else "")
        for model in found
        if model is not None and not _has_callbacks(model)
    )


def _has_callbacks(model: Model) -> bool:
    return bool(any(model._callbacks.values()) or any(model._event_callbacks.values()))
