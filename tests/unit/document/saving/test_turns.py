"""The changes of several turns as they are saved."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Slider

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.turns import parts_of
from app_server.document.served import new_document

engine.install()


def played(*turns: Callable[[Slider, ColumnDataSource], Any]) -> list[tuple[list[dict[str, Any]], int]]:
    """The events of each part that these turns become, and the number of its buffers."""
    document = new_document("s")
    slider, source = Slider(start=0, end=9, value=5), ColumnDataSource({"x": np.arange(2.0)})
    document.add_root(slider)
    document.add_root(source)
    encode_document(document)
    patches: list[PatchEncoder] = []
    document.on_change(lambda event: patches[-1].add(event))  # type: ignore[arg-type]
    for turn in turns:
        patches.append(PatchEncoder(document))
        turn(slider, source)
        patches[-1].close()
    return [(json.loads(content)["events"], len(buffers)) for content, buffers in parts_of(patches)]


def test_plain_changes_are_one_part_with_each_propertys_last_value_in_its_last_place() -> None:
    parts = played(
        lambda slider, source: slider.update(value=1, title="a"),
        lambda slider, source: slider.update(value=2),
        lambda slider, source: slider.update(step=2),
    )
    assert [[(event["attr"], event["new"]) for event in events] for events, _ in parts] == [
        [("title", "a"), ("value", 2), ("step", 2)]
    ]


def test_plain_changes_stay_on_their_side_of_others() -> None:
    parts = played(
        lambda slider, source: slider.update(value=1),
        lambda slider, source: source.stream({"x": np.arange(3.0)}),
        lambda slider, source: slider.update(value=2),
    )
    assert [[event["kind"] for event in events] for events, _ in parts] == [
        ["ModelChanged"], ["ColumnsStreamed"], ["ModelChanged"],
    ]  # fmt: skip
    assert [buffers for _, buffers in parts] == [0, 1, 0]


def test_nothing_becomes_no_part() -> None:
    assert played() == [] == played(lambda slider, source: None)
