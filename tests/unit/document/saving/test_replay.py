"""What a journal says of a document, worked out without the application."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bokeh.models import ColumnDataSource, DataRange1d, Div, Slider

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.replay import saved_document, with_tag
from app_server.document.saving.whole import encode_for_store
from app_server.document.served import ServedDocument, new_document

engine.install()


def built() -> ServedDocument:
    document = new_document("s")
    with document.at_work():
        document.add_root(Slider(start=0, end=9, value=5, name="slider"))
        document.add_root(ColumnDataSource({"x": np.arange(3.0)}, name="source"))
    return document


def changed(document: ServedDocument) -> Any:
    """The changes of a callback that does a bit of everything."""
    encode_document(document)
    patch = PatchEncoder(document)
    document.on_change(lambda event: patch.add(event))  # type: ignore[arg-type]
    slider, source = document.roots
    slider.value = 7  # type: ignore[attr-defined]
    source.stream({"x": np.arange(2.0)}, rollover=4)  # type: ignore[attr-defined]
    document.add_root(Div(text="more", name="more"))
    document.title = "another"
    content = patch.content()
    assert content is not None
    return content[0], [(ident, bytes(payload)) for ident, payload in content[1]]


def test_changes_are_carried_out_on_the_whole_and_no_callback_runs() -> None:
    document = built()
    called: list[Any] = []
    document.roots[0].on_change("value", lambda attr, old, new: called.append(new))
    whole = encode_for_store(document)
    changes = changed(document)
    called.clear()
    found = saved_document(built(), whole, [changes], (), 10**6)
    assert called == []
    assert found.content["title"] == "another"
    values = [model.get("attributes", {}) for model in found.models.values()]
    by_name = {each["name"]: each for each in values if "name" in each}
    assert by_name["slider"]["value"] == 7 and by_name["more"]["text"] == "more"
    assert json.dumps(found.content["roots"]).count('"name": "more"') == 1
    assert len(found.buffers) == 1 and np.frombuffer(found.buffers[0][1]).tolist() == [1, 2, 0, 1]


def test_bounds_of_automatic_ranges_are_those_that_the_application_has_set() -> None:
    document = new_document("s")
    found = DataRange1d()
    document.add_root(found)
    whole = encode_for_store(document)
    events = [
        {"kind": "ModelChanged", "model": {"id": found.id}, "attr": attr, "new": new}
        for attr, new in (("start", 1), ("end", 2), ("start", 3))
    ]
    changes = json.dumps({"events": events}).encode(), []
    saved = saved_document(new_document("s"), whole, [changes], {(found.id, "end")}, 10**6)
    assert saved.models[found.id]["attributes"] == {"end": 2}


def test_whole_without_changes_is_taken_as_it_is() -> None:
    whole = encode_for_store(built())
    found = saved_document(built(), whole, [], (), 10**6)
    assert found.buffers == whole[1]
    assert found.content == json.loads(whole[0])["doc"] and {model["name"] for model in found.models.values()} == {
        "Slider", "ColumnDataSource", "Selection", "UnionRenderers",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        b'{"events": [{"kind": "ModelChanged", "model": {"id": "gone"}, "attr": "value", "new": 1}]}',
        b'{"events": 7}',
        b"[]",
        b"nonsense",
    ],
)
def test_changes_that_do_not_fit_are_an_error(change: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017  # whatever it is, the caller begins again
        saved_document(built(), encode_for_store(built()), [(change, [])], (), 10**6)


def test_ids_of_another_session_become_this_ones() -> None:
    part = b'{"id":"ptag-1","text":"ptag-1 or ptag","of":"pother-1"}', [("b1", b"x")]
    assert with_tag(part, "ptag", "ptag") == part
    assert with_tag(part, "ptag", "pnew") == (b'{"id":"pnew-1","text":"pnew-1 or ptag","of":"pother-1"}', part[1])
