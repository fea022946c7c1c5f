"""Encodes a whole document as the JSON of a PULL-DOC-REPLY, or explains why that fails."""

from __future__ import annotations

from typing import Any, Final

import bokeh
from bokeh.core.property.descriptors import UnsetValueError

from app_server.document.encoding.data_models import data_models_of
from app_server.document.encoding.encoder import Encoder
from app_server.document.served import ServedDocument
from app_server.errors import ApplicationError
from app_server.protocol.codec import Buffer, dumps

REPULLED_BUFFERS_ARE_READ: Final = tuple(map(int, bokeh.__version__.split(".")[:2])) >= (3, 10)
"""Whether the BokehJS of this bokeh reads the buffers of a document that it pulls again: 3.9 ignores them.

See https://github.com/bokeh/bokeh/pull/15347.
"""


def encode_document(document: ServedDocument, *, inline: bool = False) -> tuple[bytes, list[Buffer]]:
    """The whole document as the JSON of `{"doc": …}` and its buffers; the clients then have all its models.

    The buffers are views of the document's arrays: send or copy them before its code runs again.
    """
    encoder = Encoder(inline=inline, copy=False, left_out=document.callbacks.browser_ranges)
    data_models = data_models_of(document)
    definitions = encoder.encode(data_models)
    content: dict[str, Any] = {
        "version": bokeh.__version__,
        "title": document.title,
        "config": encoder.encode(document.config),
        "roots": encoder.encode(document.roots),
    }
    if data_models:
        content["defs"] = definitions
    if document.callbacks.js_event_callbacks:
        content["callbacks"] = encoder.encode(document.callbacks.js_event_callbacks)
    document.models.flush_synced()
    return dumps({"doc": content}), encoder.binary


def encode_built(document: ServedDocument, *, inline: bool = False) -> tuple[bytes, list[Buffer]]:
    """What `encode_document` gives; ApplicationError, which names the value at fault, if that fails."""
    try:
        return encode_document(document, inline=inline)
    except Exception as error:
        what = unsendable(document) or f"the document cannot be sent to a browser: {error}"
        raise ApplicationError(what, hint="Correct the application's code", shown=what) from error


def unsendable(document: ServedDocument) -> str | None:
    """Which value of the document cannot be sent to a browser, and why; None if none is found."""
    for model in document.models:
        kind = type(model)
        named = f"{kind.__name__} (name {model.name!r})" if model.name else kind.__name__
        encoder = Encoder(clients_have=lambda other: True)
        for name in kind.properties(_with_props=True):
            descriptor = kind.lookup(name)
            if not descriptor.serialized:
                continue
            try:
                dumps(encoder.encode(descriptor.get_value(model)))
            except UnsetValueError:
                return f"{named} has no value for {name}, which a browser needs"
            except RecursionError:
                return f"{named}.{name} holds itself, or is nested too deeply to be sent to a browser"
            except Exception as error:
                return f"{named}.{name} cannot be sent to a browser: {error}"
    return None
