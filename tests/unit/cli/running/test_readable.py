"""Values of saved documents are readable, whatever they are, and however much there is of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from app_server.cli.running.readable import Reader


def bytes_of(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    order = "big" if array.dtype.str[0] == ">" else "little"
    data = {"type": "bytes", "data": {"id": "b0"}}
    return {"type": "ndarray", "array": data, "shape": list(array.shape), "dtype": array.dtype.name, "order": order}


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.arange(1000.0), "float64 array, shape 1000: 0.0, 1.0, 2.0, 3.0, 4.0, … (1000)"),
        (np.array([[1, 2], [3, 4]], ">i4"), "int32 array, shape 2 × 2: 1, 2, 3, 4"),
        (np.array([True, False]), "bool array, shape 2: true, false"),
        (np.array([], "u1"), "uint8 array, shape 0"),
        (np.array([1.5, np.nan], "f4"), "float32 array, shape 2: 1.5, NaN"),
    ],
    ids=["long", "big-endian", "bool", "empty", "nan"],
)
def test_array_is_shown_by_its_kind_shape_and_first_values(array: np.ndarray[Any, Any], text: str) -> None:
    assert Reader({"b0": array.tobytes()}, {}).text(bytes_of(array)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("a\x1b[2J\u202e", r'"a\u001b[2J\u202e"'),
        ("x" * 1000, '"' + "x" * 199 + "… (1002 letters)"),
        (list(range(100)), "[0, 1, 2, 3, 4, … (100)]"),
        ({"type": "number", "value": "nan"}, "nan"),
        ({"id": "p1"}, "Slider 'factor'"),
        ({"id": "p9"}, "p9"),
        ({"type": "object", "name": "Slider", "id": "p1", "attributes": {"value": 1}}, "Slider 'factor'"),
        ({"type": "map", "entries": [["a", 1], ["b", [2]]]}, '{"a": 1, "b": [2]}'),
        ({"type": "map"}, "{}"),
        ({"value": "x"}, '{"value": "x"}'),
        ({"type": "slice", "start": 1}, '{"type": "slice", "start": 1}'),
        ({"type": "ndarray", "array": ["a", "b"], "shape": [2], "dtype": "object"}, 'object array, shape 2: "a", "b"'),
        ({"type": "ndarray", "array": {"type": "bytes", "data": "?"}, "dtype": "int8"}, "int8 array, shape -"),
        ({"type": "bytes", "data": "AAAA"}, "3 bytes"),
        ([[[[[[[[1]]]]]]]], "[[[[[[…]]]]]]"),
    ],
    ids=lambda value: json.dumps(value)[:30],
)
def test_other_values_are_shown_in_a_line(value: Any, text: str) -> None:
    assert Reader({}, {"p1": "Slider 'factor'"}).text(value) == text
