"""When session callbacks run, on a clock that skips what nobody waits for: a whole application, and no socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bokeh.models import Slider

from tests.support.servers.stage import Stage, staged
from tests.unit.session.making import change


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=1000, value=0))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


@pytest.mark.parametrize("first", ["slow", "quick"])
def test_two_callbacks_of_one_period_both_keep_it_though_one_holds_the_document(stage: Stage, first: str) -> None:
    callbacks = {"slow": stage.callback("slow", holds_s=0.03), "quick": stage.callback("quick")}
    for name in sorted(callbacks, key=lambda name: name != first):
        stage.document.add_periodic_callback(callbacks[name], 50)
    stage.loop.run_for(1.54)
    assert stage.runs == {"slow": 30, "quick": 30}


@pytest.mark.parametrize("order", list(itertools.permutations(("long", "hold", "plain", "often"))))
def test_nobody_starves_in_whatever_order_callbacks_were_added(stage: Stage, order: tuple[str, ...]) -> None:
    kinds = {
        "long": (stage.callback("long", holds_s=0.09), 100),
        "hold": (stage.callback("hold", holds_s=0.02), 50),
        "plain": (stage.callback("plain"), 50),
        "often": (stage.callback("often"), 10),
    }
    for name in order:
        stage.document.add_periodic_callback(*kinds[name])
    stage.loop.run_for(10)
    # The document is wanted for 130 of every 100 ms: all of them are slower, and none of them stops.
    assert all(stage.runs[name] >= 45 for name in order), stage.runs


@pytest.mark.parametrize("periods_ms", [(50, 50, 50), (10, 50, 250), (7, 11, 13), (30, 60, 90), (1, 1, 1000)])
def test_holding_callbacks_of_any_periods_get_their_share(stage: Stage, periods_ms: tuple[int, ...]) -> None:
    for number, period_ms in enumerate(periods_ms):
        stage.document.add_periodic_callback(stage.callback(str(number), holds_s=0.02), period_ms)
    stage.loop.run_for(10)
    for number, period_ms in enumerate(periods_ms):
        # Each waits for one run of each other at most, and then for the next beat of its own.
        assert stage.runs[str(number)] >= 10_000 // (60 + period_ms) - 1, stage.runs


def test_beat_that_finds_the_document_held_waits_for_its_turn(stage: Stage) -> None:
    stage.document.add_timeout_callback(stage.callback("hold", holds_s=0.12), 90)
    stage.document.add_periodic_callback(stage.callback("beat"), 100)
    stage.loop.run_for(0.45)
    # The one of 100 ms runs as soon as it may, that of 200 ms is left out, and the rate is as before.
    assert stage.times["beat"] == [0.21, 0.3, 0.4]


@pytest.mark.parametrize("locked", [True, False])
def test_run_longer_than_its_period_leaves_beats_out_and_never_overlaps(stage: Stage, locked: bool) -> None:
    stage.document.add_periodic_callback(stage.callback("long", holds_s=0.12, locked=locked), 50)
    stage.loop.run_for(1)
    assert stage.times["long"] == [0.17, 0.32, 0.47, 0.62, 0.77, 0.92]


def test_unlocked_callback_runs_while_the_document_is_held(stage: Stage) -> None:
    stage.document.add_periodic_callback(stage.callback("hold", holds_s=0.04), 50)
    stage.document.add_periodic_callback(stage.callback("free", locked=False), 50)
    stage.document.add_periodic_callback(stage.callback("free-async", holds_s=0.01, locked=False), 50)
    stage.loop.run_for(1.04)
    assert stage.runs == {"hold": 20, "free": 20, "free-async": 20}


def test_computing_callback_that_is_always_late_leaves_time_to_others(stage: Stage) -> None:
    stage.document.add_periodic_callback(stage.callback("busy", computes_s=0.06), 50)
    stage.document.add_periodic_callback(stage.callback("quick"), 50)
    stage.loop.run_for(6)
    assert abs(stage.runs["busy"] - stage.runs["quick"]) <= 1 and stage.runs["quick"] >= 49, stage.runs


def test_chains_of_timeouts_and_next_ticks_run_beside_callbacks_that_hold_the_document(stage: Stage) -> None:
    document = stage.document

    def again(name: str, add: Callable[[Any], object], function: Any) -> None:
        async def run() -> None:
            await asyncio.sleep(0.005)
            function()
            add(run)

        add(run)

    again("tick", document.add_next_tick_callback, stage.callback("tick"))
    again("timeout", lambda run: document.add_timeout_callback(run, 10), stage.callback("timeout"))
    document.add_periodic_callback(stage.callback("hold", holds_s=0.03), 50)
    document.add_periodic_callback(stage.callback("beat"), 50)
    stage.loop.run_for(5)
    assert min(stage.runs[name] for name in ("tick", "timeout", "hold", "beat")) >= 90, stage.runs


def test_messages_and_callbacks_take_turns(stage: Stage) -> None:
    client = stage.view().connection
    moved: list[float] = []
    slider = stage.document.get_model_by_name("slider")
    slider.on_change("value", lambda attr, old, new: moved.append(stage.loop.time()))
    stage.document.add_periodic_callback(stage.callback("hold", holds_s=0.05), 50)
    stage.document.add_periodic_callback(stage.callback("beat"), 50)

    async def move() -> None:
        for value in range(1, 401):
            await asyncio.sleep(0.005)
            stage.runtime.receive(stage.session, client, change(stage.session, "slider", "value", value))

    stage.loop.run_until_complete(move())
    stage.loop.run_for(0.1)
    assert len(moved) == 400
    assert stage.runs["beat"] >= 19 and stage.runs["hold"] >= 19, stage.runs


def test_callback_that_raises_runs_again(stage: Stage) -> None:
    note = stage.callback("fails")

    def fail() -> None:
        note()
        raise ValueError("a beat fails")

    async def fail_later() -> None:
        await asyncio.sleep(0.01)
        fail()

    stage.document.add_periodic_callback(fail, 100)
    stage.document.add_periodic_callback(fail_later, 100)
    stage.loop.run_for(1.05)
    assert stage.runs["fails"] == 20


def test_removed_callback_does_not_run_though_it_waits(stage: Stage) -> None:
    stage.document.add_timeout_callback(stage.callback("hold", holds_s=0.1), 10)
    beat = stage.document.add_periodic_callback(stage.callback("beat"), 50)
    stage.loop.run_for(0.07)
    stage.document.remove_periodic_callback(beat)
    stage.loop.run_for(0.5)
    assert stage.runs == {"hold": 1}
