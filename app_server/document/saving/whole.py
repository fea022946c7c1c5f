"""A whole document as it is saved, and what tells whether another build of the application fits it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from typing import TypeAlias

import bokeh
from bokeh.model import Model
from bokeh.models import DataRange1d
from bokeh.models.widgets import PasswordInput

from app_server.document.classes import stable_name
from app_server.document.encoding.encoder import Encoder
from app_server.document.served import ServedDocument
from app_server.protocol.codec import dumps

Part: TypeAlias = tuple[bytes, Sequence[tuple[str, bytes]]]
"""JSON and its buffers, as they are saved."""

_BOUNDS = ("start", "end")
_SECRETS = ("value", "value_input")
"""The properties of a password input that are never saved."""


def encode_for_store(document: ServedDocument, excluded: Collection[str] = ()) -> Part:
    """The whole document as the JSON of `{"doc": …}` and its buffers, which are copies.

    Unlike a document that is sent, it changes nothing in what the clients are known to have. Left out are what is
    typed into password inputs, all values of the models whose ids are `excluded`, and ranges that browsers work out.
    """
    encoder = Encoder(left_out=_left_out(document, excluded))
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
        elif isinstance(model, PasswordInput):
            left_out[model.id] = _SECRETS
    return left_out


def is_left_out(model: Model, attr: str) -> bool:
    """Whether this property is not saved, although the model is."""
    return isinstance(model, PasswordInput) and attr in _SECRETS or isinstance(model, DataRange1d) and attr in _BOUNDS


def holds_secrets(document: ServedDocument, excluded: Collection[str]) -> bool:
    """Whether a change of the document may show what is not to be saved: only whole documents may be saved then."""
    return bool(excluded) or any(isinstance(model, PasswordInput) for model in document.models)


def skeleton(document: ServedDocument) -> str:
    """A digest of the models' ids and classes; two builds with the same digest have the same models.

    Names are no part of it: Panel numbers them through all sessions of a process.
    """
    lines = sorted(f"{model.id} {stable_name(type(model).__qualified_model__)}" for model in document.models)
    return sha256("\n".join(lines).encode()).hexdigest()[:32]


def called_models(document: ServedDocument, built: Collection[str]) -> Iterator[Model]:
    """The models with Python callbacks that are not among those of these ids."""
    for model in document.models:
        if model.id not in built and (model._callbacks or model._event_callbacks):
            yield model
