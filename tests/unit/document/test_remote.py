"""What a page's copy of a document says when a person does something; clients in Python have tests of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.models import Div, FileInput, Slider

from app_server.document.remote import Mirror, empty_document
from app_server.protocol.codec import Buffer


class Listener:
    """Notes what the mirror sends by itself."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def changed(self, content: bytes, buffers: Sequence[Buffer]) -> None:
        self.sent.append(content)

    def callback_added(self, callback: Any) -> None: ...

    def callback_removed(self, ident: str) -> None: ...


def mirror_of(*roots: Any) -> tuple[Mirror, Listener]:
    """A copy of a document of these roots, which listens."""
    document = Document()
    for root in roots:
        document.add_root(root)
    listener = Listener()
    mirror = Mirror(empty_document(), listener)
    mirror.replace({"doc": document.to_json(deferred=False)}, [])
    mirror.listen()
    return mirror, listener


def test_properties_are_set_in_one_message_and_no_event_of_their_own() -> None:
    mirror, listener = mirror_of(FileInput())
    (field,) = mirror.document.roots
    content, buffers = mirror.set(field, {"value": "YQ==", "filename": "a", "mime_type": "text/plain"})
    assert json.loads(content) == {
        "events": [
            {"kind": "ModelChanged", "model": {"id": field.id}, "attr": "value", "new": "YQ=="},
            {"kind": "ModelChanged", "model": {"id": field.id}, "attr": "filename", "new": "a"},
            {"kind": "ModelChanged", "model": {"id": field.id}, "attr": "mime_type", "new": "text/plain"},
        ]
    }
    assert (field.filename, buffers, listener.sent) == ("a", [], [])


def test_value_that_does_not_fit_is_refused() -> None:
    mirror, _ = mirror_of(Slider(start=0, end=1, value=0))
    with pytest.raises(ValueError, match="expected a value of type Real"):
        mirror.set(mirror.document.roots[0], {"value": "x"})


def test_events_name_their_model_and_have_their_values() -> None:
    mirror, _ = mirror_of(Div())
    (model,) = mirror.document.roots
    content, _ = mirror.event("tap", {"model": model, "x": 1.5})
    entries = [["model", {"id": model.id}], ["x", 1.5]]
    data = {"type": "event", "name": "tap", "values": {"type": "map", "entries": entries}}
    assert json.loads(content) == {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": data}]}
