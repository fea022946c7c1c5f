"""Profiles: samples added up, and drawn as bars."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app_server
from app_server.observe.profile import MOST_CALLS, Call, ProfileTree, applications_part, flame

SERVER = Path(app_server.__file__).parent
LOOP = Call("run_forever", "/usr/lib/python3.11/asyncio/base_events.py", 593)
TURN = Call("TurnQueue.take", f"{SERVER}/engine/turns/queue.py", 100)
UPDATE = Call("update", "/srv/board/main.py", 8)
READ = Call("read", "/srv/board/data.py", 3)
ENCODE = Call("PatchEncoder.encode", f"{SERVER}/document/encoding/patch_encoder.py", 50)


def profile(*samples: tuple[list[Call], float]) -> ProfileTree:
    """A profile of these samples."""
    tree = ProfileTree()
    for stack, duration_s in samples:
        tree.add(stack, duration_s)
    return tree


def named(tree: ProfileTree) -> dict[str, tuple[float, float, int]]:
    """Each call's seconds, seconds in itself and depth, by its name."""
    return {bar.name: (round(bar.total_s, 6), round(bar.own_s, 6), bar.depth) for bar in flame(tree.as_json())}


def test_seconds_of_a_call_are_those_of_all_that_it_has_called() -> None:
    tree = profile(([LOOP, TURN, UPDATE, READ], 0.25), ([LOOP, TURN, UPDATE], 0.5), ([LOOP, TURN, UPDATE, READ], 0.25))
    assert named(tree) == {
        "all callbacks": (1.0, 0.0, 0), "update": (1.0, 0.5, 1), "read": (0.5, 0.5, 2),
    }  # fmt: skip
    (bar,) = [bar for bar in flame(tree.as_json()) if bar.name == "read"]
    assert (bar.left_s, bar.right_s, bar.where) == (0.0, 0.5, "/srv/board/data.py:3")


def test_server_is_shown_only_where_no_code_of_the_application_runs() -> None:
    assert list(applications_part([LOOP, TURN, UPDATE, ENCODE])) == [UPDATE, ENCODE]
    assert list(applications_part([LOOP, TURN, ENCODE])) == [ENCODE]
    assert list(applications_part([])) == []


def test_programs_that_the_server_runs_in_are_left_out() -> None:
    embedding = Call("<module>", "/srv/program.py", 1)
    handle = Call("BaseAsyncIOLoop._handle_events", "/usr/lib/python3/site-packages/tornado/platform/asyncio.py", 198)
    bokeh = Call("HasProps.update", "/usr/lib/python3/site-packages/bokeh/core/has_props.py", 9)
    assert list(applications_part([embedding, LOOP, handle, TURN, bokeh, UPDATE, bokeh])) == [UPDATE, bokeh]
    assert list(applications_part([embedding, LOOP, handle, TURN, ENCODE, bokeh])) == [bokeh]


def test_same_function_below_another_caller_is_another_call() -> None:
    other = Call("other", "/srv/board/main.py", 30)
    found = [bar for bar in flame(profile(([UPDATE, READ], 1.0), ([other, READ], 2.0)).as_json()) if bar.name == "read"]
    assert sorted(bar.total_s for bar in found) == [1.0, 2.0]


def test_calls_beyond_the_most_count_for_their_caller() -> None:
    tree = ProfileTree()
    for number in range(MOST_CALLS + 500):
        tree.add([Call(f"f{number}", "/srv/a.py", number)], 0.001)
    rows = tree.as_json()
    assert len(rows) == MOST_CALLS + 1
    assert rows[0][4] == pytest.approx((MOST_CALLS + 500) * 0.001) and rows[0][5] == pytest.approx(0.5)


def test_deep_recursion_is_cut_off() -> None:
    tree = profile(([Call("f", "/srv/a.py", 1)] * 5000, 1.0))
    assert max(bar.depth for bar in flame(tree.as_json())) == 120


STACKS = st.lists(
    st.tuples(st.lists(st.sampled_from([LOOP, TURN, UPDATE, READ, ENCODE]), max_size=8), st.floats(0.001, 1))
)


@given(STACKS)
def test_bars_lie_within_their_callers_and_beside_each_other(samples: list[tuple[list[Call], float]]) -> None:
    tree = profile(*samples)
    bars = flame(tree.as_json())
    for bar in bars[1:]:
        above = [each for each in bars if each.depth == bar.depth - 1 and each.left_s - 1e-4 <= bar.left_s]
        assert any(bar.right_s <= each.right_s + 1e-4 for each in above)
    for depth in {bar.depth for bar in bars}:
        level = sorted((bar.left_s, bar.right_s) for bar in bars if bar.depth == depth)
        assert all(right <= left + 1e-4 for (_, right), (left, _) in zip(level, level[1:], strict=False))


@pytest.mark.parametrize(
    "rows",
    [
        [1], [None], ["text"], [[0]], [[0, "f", "a.py", 1, 1.0, 1.0]], [[-2, "f", "a.py", 1, 1.0, 1.0]],
        [[-1, "f", "a.py", 1, math.inf, 1.0]], [[-1, "f", "a.py", 1, math.nan, 1.0]], [[-1, "f", "a.py", 1, -1.0, 1.0]],
        [["a", "f", "a.py", 1, 1.0, 1.0]], [[-1, "f", "a.py", 1, None, 1.0]],
    ],
)  # fmt: skip
def test_rows_that_make_no_sense_are_left_out(rows: list[Any]) -> None:
    assert flame(rows) == []
    good = [-1, "root", "", 0, 1.0, 1.0]
    assert len(flame([good, *rows])) <= 2
