"""Goals, their verdicts and how they are shown."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.goals import GOALS, Goal, Row, rows
from bench.report import Circumstances, amount, cells, for_manual, for_terminal
from bench.scenarios import SCENARIOS

FASTER = Goal("round-trip", "p50_ms", "a round trip", "ms", at_least_times=25)
MORE = Goal("closed-50", "trips_per_s", "round trips", "/s", more_is_better=True, at_least_times=2.5)
FEWER = Goal("properties", "frames", "frames", "", at_most=6)
ALMOST_ALL = Goal("push", "delivered_percent", "delivered", "%", more_is_better=True, at_least=99)


@pytest.mark.parametrize(
    ("goal", "stock", "ours", "times", "reached"),
    [
        (FASTER, 44.0, 0.4, 110.0, True),
        (FASTER, 44.0, 4.4, 10.0, False),
        (MORE, 400.0, 1200.0, 3.0, True),
        (MORE, 400.0, 800.0, 2.0, False),
        (FEWER, 303.0, 6.0, 50.5, True),
        (FEWER, 303.0, 7.0, pytest.approx(43.29, 0.01), False),
        (ALMOST_ALL, 90.0, 99.0, pytest.approx(1.1), True),
        (ALMOST_ALL, 90.0, 98.9, pytest.approx(1.1, 0.01), False),
        (replace(FASTER, at_least_times=None), 44.0, 0.4, 110.0, None),
        (FASTER, 44.0, math.inf, None, False),
        (FASTER, 44.0, None, None, False),
        (FASTER, None, 0.4, None, None),
        (FEWER, None, 6.0, None, True),
    ],
)
def test_verdict_follows_from_the_figures(
    goal: Goal, stock: float | None, ours: float | None, times: float | None, reached: bool | None
) -> None:
    row = Row(goal, {"stock": stock, "ours": ours})
    assert (row.times_better, row.reached) == (times, reached)


def test_figure_around_zero_has_a_verdict_but_no_ratio() -> None:
    row = Row(replace(FEWER, has_ratio=False), {"stock": 0.5, "ours": 0.1})
    assert (row.times_better, row.reached) == (None, True)


def test_figure_that_was_not_measured_is_no_shortfall() -> None:
    assert Row(FASTER, {"stock": 44.0}).reached is None


def test_shortfall_is_shown_as_a_shortfall() -> None:
    row = Row(FASTER, {"stock": 44.0, "ours": 4.4, "canned": 0.2})
    assert cells(row) == ("a round trip", "44.0 ms", "4.40 ms", "-", "0.20 ms", "10x", "25x less", "SHORTFALL")


def test_wish_names_its_direction_and_unit() -> None:
    assert [goal.wish for goal in (FASTER, MORE, FEWER)] == ["25x less", "2.5x more", "at most 6"]


def test_amounts_have_three_digits() -> None:
    shown = [amount(value, "ms") for value in (0.4, 12.345, 1234.5, math.inf, math.nan, None)]
    assert shown == ["0.40 ms", "12.3 ms", "1234 ms", "lost", "lost", "-"]


def test_every_goal_belongs_to_a_scenario_and_every_scenario_has_a_figure() -> None:
    assert {goal.scenario for goal in GOALS} == {scenario.name for scenario in SCENARIOS}


def test_only_scenarios_that_were_run_have_rows() -> None:
    table = rows({"properties": {"stock": {"frames": 303.0}, "ours": {}}})
    assert [row.goal.figure for row in table] == ["frames", "p50_ms"]
    assert table[0].figures == {"stock": 303.0, "ours": None}


def test_tables_show_every_row() -> None:
    table = [Row(FASTER, {"stock": 44.0, "ours": 0.4, "asgi": 0.5}), Row(FEWER, {"stock": 303.0, "ours": 6.0})]
    assert for_terminal(table).splitlines() == [
        "scenario      stock    ours     asgi     canned  ratio  goal       reached",
        "a round trip  44.0 ms  0.40 ms  0.50 ms  -       110x   25x less   yes",
        "frames        303      6        -        -       50.5x  at most 6  yes",
    ]
    manual = for_manual(table, Circumstances("2 cores", "bokeh 3.9.2"), "images/bench.svg", 80.0)
    assert "| frames | 303 | 6 | - | - | 50.5x | at most 6 | yes |" in manual
    assert "Measured on 2 cores; bokeh 3.9.2." in manual
