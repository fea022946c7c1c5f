"""Models by what they are, instead of by their ids."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.load.outline import Place
from app_server.load.recording.structure import KEY, Unknown, with_ids, with_places

PLACES = {"p1": Place("Slider", "amount", 0), "p2": Place("Slider", "", 1)}
OTHERS = {place: f"q{ident}" for ident, place in PLACES.items()}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.sampled_from(["p1", "p2"]).map(lambda ident: {"id": ident}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


def test_reference_becomes_a_place_and_that_the_id_of_another_session() -> None:
    event = {"kind": "ModelChanged", "model": {"id": "p1"}, "attr": "value", "new": [1, {"id": "p2"}]}
    public = with_places(event, PLACES)
    assert public["model"] == {KEY: ["Slider", "amount", 0]} and public["new"] == [1, {KEY: ["Slider", "", 1]}]
    assert with_ids(public, OTHERS)["model"] == {"id": "qp1"}


@given(values)
def test_back_and_forth_changes_nothing(value: Any) -> None:
    assert with_ids(with_places(value, PLACES), {place: ident for ident, place in PLACES.items()}) == value


@pytest.mark.parametrize("value", [{"id": "p9"}, [{"id": "p9"}], {"type": "object", "name": "Range1d", "id": "p3"}])
def test_model_that_the_page_has_not_had_cannot_be_named(value: Any) -> None:
    with pytest.raises(Unknown):
        with_places(value, PLACES)


def test_model_that_another_page_lacks_is_unknown_there() -> None:
    with pytest.raises(Unknown, match="Slider amount"):
        with_ids({KEY: ["Slider", "amount", 0]}, {})
