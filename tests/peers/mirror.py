"""The document of a Python client that follows a session's messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bokeh.document import Document

from app_server.document.remote import Mirror
from tests.peers.picture import Album, Json
from tests.support.client import Received


def mirrored(pulled: Received, pushed: Sequence[Received]) -> Json:
    """The picture of the document that was pulled, after all that was pushed to it.

    Raises where a message refers to what the client cannot know.
    """
    document = Document()
    mirror = Mirror(document, _Silent())
    mirror.replace(pulled.content, pulled.buffers)
    for message in pushed:
        mirror.apply(message.content, message.buffers)
    written = json.loads(json.dumps(document.to_json(deferred=False)))
    return _without_empty(Album().document(Received("PULL-DOC-REPLY", {"doc": written})))


def _without_empty(value: Json) -> Json:
    """The same without empty attributes and the order of columns.

    Whether such a default is written depends on its having been set; a client puts columns that change first.
    """
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(item) for key, item in value.items() if item not in ("", [], {"type": "map"})}
    if kept.get("type") == "map":
        kept["entries"] = sorted(kept.get("entries", []), key=json.dumps)
    return kept


class _Silent:
    """Hears nothing of what the client itself changes."""

    def changed(self, content: bytes, buffers: Any) -> None: ...

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, ident: str) -> None: ...
