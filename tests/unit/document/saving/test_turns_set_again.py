"""What is saved of several turns: all that is needed to have the document as it is after the last one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import Column, ColumnDataSource, Div, Slider

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.encoding.patch_encoder import PatchEncoder
from app_server.document.saving.turns import parts_of
from app_server.document.served import ServedDocument, new_document

engine.install()


class Turns:
    """A document with a slider, a text and arrays, and the encoders of its turns."""

    def __init__(self) -> None:
        self.document: ServedDocument = new_document("s")
        self.slider = Slider(start=0, end=9, value=5)
        self.div = Div()
        self.source = ColumnDataSource({"x": np.arange(3.0)})
        self.column = Column(self.slider, self.div)
        for root in (self.column, self.source):
            self.document.add_root(root)
        encode_document(self.document)
        self.turns: list[PatchEncoder] = []
        self.document.on_change(lambda event: self.turns[-1].add(event))  # type: ignore[arg-type]

    def turn(self, *changes: Callable[[], object]) -> None:
        """Make these changes in one turn."""
        self.turns.append(PatchEncoder(self.document))
        for change in changes:
            change()

    def move(self, value: int) -> Callable[[], object]:
        """Set the slider."""
        return lambda: setattr(self.slider, "value", value)

    def draw(self, value: float) -> Callable[[], object]:
        """Set the arrays."""
        return lambda: setattr(self.source, "data", {"x": np.full(3, float(value))})

    @property
    def saved(self) -> list[tuple[list[dict[str, Any]], list[float]]]:
        """The events of each part that is saved, and the first numbers of its arrays."""
        return [
            (json.loads(content)["events"], [float(np.frombuffer(payload)[0]) for _, payload in buffers])
            for content, buffers in parts_of(self.turns)
        ]


def test_turn_whose_values_were_all_set_again_is_not_saved() -> None:
    made = Turns()
    for value in range(6):
        made.turn(made.move(value), made.draw(value))
    [(events, arrays)] = made.saved
    assert [event["attr"] for event in events] == ["value", "data"]
    assert events[0]["new"] == 5 and arrays == [5.0]


def test_turn_of_which_a_value_is_left_is_saved() -> None:
    made = Turns()
    made.turn(made.move(1), made.draw(1))
    made.turn(made.draw(2))
    made.turn(made.draw(3))
    assert [arrays for _, arrays in made.saved] == [[1.0], [3.0]]


def test_what_was_streamed_into_a_value_needs_that_value() -> None:
    made = Turns()
    made.turn(made.draw(1))
    made.turn(made.draw(2))
    made.turn(lambda: made.source.stream({"x": np.array([7.0])}))
    made.turn(made.draw(3))
    made.turn(made.draw(4))
    assert [[event["kind"] for event in events] for events, _ in made.saved] == [
        ["ColumnDataChanged"], ["ColumnsStreamed"], ["ColumnDataChanged"],
    ]  # fmt: skip
    assert [arrays[0] for _, arrays in made.saved if arrays] == [2.0, 7.0, 4.0]


def test_column_that_was_set_needs_the_others() -> None:
    made = Turns()
    made.turn(made.draw(1))
    for value in (2.0, 3.0):
        made.turn(lambda value=value: made.source.data.update(x=np.full(3, value)))  # type: ignore[misc]
    assert [arrays for _, arrays in made.saved] == [[1.0], [2.0], [3.0]]


def test_value_that_names_models_is_saved_with_all_that_came_before() -> None:
    made = Turns()
    new = Slider(start=0, end=1, value=0)
    made.turn(made.draw(1))
    made.turn(lambda: setattr(made.column, "children", [made.slider, new]))
    made.turn(lambda: setattr(made.column, "children", [new]))
    made.turn(made.draw(2))
    made.turn(lambda: setattr(made.column, "children", []))
    assert len(made.saved) == 5


def test_text_that_looks_like_a_model_is_a_text() -> None:
    made = Turns()
    for number in range(2):
        made.turn(lambda number=number: setattr(made.div, "tags", [number, '{"id":"b0"}', {"id": 1}]))  # type: ignore[misc]
    [(events, _)] = made.saved
    assert events[0]["new"][:2] == [1, '{"id":"b0"}']
