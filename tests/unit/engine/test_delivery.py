"""What clients at the ends of lines of any width see of a session, and when: simulated, on a clock that skips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app_server.protocol import websocket
from tests.support.servers.stage import Line, Stage, staged
from tests.unit.engine.streams import MB, POINTS, fill, replace
from tests.unit.session.making import change


@pytest.fixture
def stage() -> Iterator[Stage]:
    with staged(fill) as played:
        yield played


def stream(stage: Stage, rows: int = 3000) -> Callable[[], None]:
    """A callback that streams so many rows, all with the number of the run."""

    def run() -> None:
        stage.runs["stream"] += 1
        columns = {name: np.full(rows, float(stage.runs["stream"])) for name in ("x", "y")}
        stage.model("source").stream(columns, rollover=rows)

    return run


def ages_s(line: Line) -> list[float]:
    """How old each value was when it arrived."""
    found = []
    for whole in line.messages:
        text = whole.content.decode()
        if '"attr":"text","new":"' in text:
            made_s = float(text.rpartition('"attr":"text","new":"')[2].partition('"')[0])
            found.append(whole.arrived_s - made_s)
    return found


def streamed(line: Line) -> list[float]:
    """The number of each stream that has arrived."""
    numbers = []
    for whole in line.messages:
        if b"ColumnsStreamed" in whole.content:
            numbers += [float(np.frombuffer(payload)[0]) for payload in whole.buffers[::2]]
    return numbers


def test_only_client_sees_what_is_two_messages_old_and_its_line_is_used(stage: Stage) -> None:
    line = stage.view(1 * MB)
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(20)
    assert len(ages_s(line)) >= 195, "the line carries ten a second"
    assert max(ages_s(line)[10:]) < 0.26 and not line.given_up
    assert stage.runs["replace"] - len(ages_s(line)) <= 3, "nothing is made for nobody"


@pytest.mark.parametrize("points", [600, 6000, 60_000, 300_000])
@pytest.mark.parametrize("period_ms", [10, 50, 250])
@pytest.mark.parametrize("distance_s", [0.0, 0.15])
def test_what_is_shown_is_about_two_messages_old(stage: Stage, points: int, period_ms: int, distance_s: float) -> None:
    line = stage.view(1 * MB, distance_s=distance_s)
    stage.document.add_periodic_callback(replace(stage, points), period_ms)
    message_s = 16 * points / MB
    duration_s = 8.0 if points <= POINTS else 20.0  # longer than it is strict, and at least four messages
    stage.loop.run_for(duration_s)
    # A client that is late by less than a fifth of a second is not taken for slow.
    assert max(ages_s(line)[len(ages_s(line)) // 2 :]) < 2 * message_s + distance_s + period_ms / 1000 + 0.25
    assert len(ages_s(line)) >= 0.6 * min(duration_s / message_s, 1000 * duration_s / period_ms) - 2


def test_others_keep_the_full_rate_beside_a_slow_client(stage: Stage) -> None:
    slow, quick, far = stage.view(1 * MB), stage.view(), stage.view(distance_s=0.2)
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(20)
    assert len(ages_s(quick)) >= 398 and max(ages_s(quick)) < 0.001
    assert len(ages_s(far)) >= 393 and max(ages_s(far)) < 0.11
    assert len(ages_s(slow)) >= 190 and max(ages_s(slow)[20:]) < 0.31


def test_quick_clients_share_one_encoding_beside_a_slow_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.view(1 * MB)
    quick = [stage.view() for _ in range(5)]
    calls: list[object] = []
    serialize = websocket.serialize

    def counted(frames: Any, deflate: Any = None) -> Any:
        calls.extend(frames[:1] if len(frames) > 1 else ())
        return serialize(frames, deflate)

    monkeypatch.setattr(websocket, "serialize", counted)
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(5)
    assert all(len(ages_s(line)) >= 98 for line in quick)
    assert len(calls) <= 2 * 100, "once for all that keep up, and at most once for the one that does not"


def test_no_stream_is_lost_and_beats_wait_for_the_only_client(stage: Stage) -> None:
    line = stage.view(1 * MB)
    handle = stage.document.add_periodic_callback(stream(stage), 10)
    stage.loop.run_for(10)
    stage.document.remove_periodic_callback(handle)
    stage.loop.run_for(3)
    assert streamed(line) == [float(number) for number in range(1, stage.runs["stream"] + 1)]
    assert 180 <= stage.runs["stream"] <= 220, "as many as the line carries"


def test_no_stream_is_lost_beside_a_quick_client_which_waits_only_for_very_much(stage: Stage) -> None:
    slow, quick = stage.view(1 * MB), stage.view()
    handle = stage.document.add_periodic_callback(stream(stage), 20)  # 2.4 MB/s
    stage.loop.run_for(5)
    assert len(streamed(quick)) >= 248
    stage.loop.run_for(15)
    assert stage.runtime.delivery.queued_bytes < 10 * MB
    stage.document.remove_periodic_callback(handle)
    stage.loop.run_for(12)
    expected = [float(number) for number in range(1, stage.runs["stream"] + 1)]
    assert streamed(slow) == streamed(quick) == expected and not slow.given_up


@pytest.mark.parametrize("add", ["add_next_tick_callback", "add_timeout_callback"])
def test_chains_of_callbacks_wait_for_the_only_client_when_nothing_may_be_replaced(stage: Stage, add: str) -> None:
    line, run = stage.view(1 * MB), stream(stage)
    delay = (20,) if add == "add_timeout_callback" else ()

    def again() -> None:
        run()
        stage.loop.pass_time(0.001)
        if stage.loop.time() < 10:
            getattr(stage.document, add)(again, *delay)

    getattr(stage.document, add)(again, *delay)
    stage.loop.run_for(20)
    assert streamed(line) == [float(number) for number in range(1, stage.runs["stream"] + 1)]
    assert stage.runs["stream"] <= 260, "no more than the line carries, and what may wait"


def test_timeouts_that_only_set_values_go_on_and_the_newest_are_shown(stage: Stage) -> None:
    line, run = stage.view(1 * MB), replace(stage)

    def again() -> None:
        run()
        stage.document.add_timeout_callback(again, 20)

    stage.document.add_timeout_callback(again, 20)
    stage.loop.run_for(10)
    assert stage.runs["replace"] >= 490
    assert max(ages_s(line)[20:]) < 0.3 and len(ages_s(line)) >= 90


def test_no_callback_starves_while_beats_wait_for_a_slow_client(stage: Stage) -> None:
    stage.view(1 * MB)
    stage.document.add_periodic_callback(replace(stage), 50)
    for name, period_ms in (("second", 1000), ("often", 50), ("odd", 70)):
        stage.document.add_periodic_callback(stage.callback(name), period_ms)
    stage.loop.run_for(20)
    assert stage.runs["second"] >= 18 and stage.runs["often"] >= 100 and stage.runs["odd"] >= 100, stage.runs


def test_every_client_ends_with_the_last_value(stage: Stage) -> None:
    lines = [stage.view(width) for width in (0.1 * MB, 1 * MB, 1e9)]
    handle = stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(5)
    stage.document.remove_periodic_callback(handle)
    stage.loop.run_for(5)
    shown = {[event["new"] for event in line.events() if event.get("attr") == "text"][-1] for line in lines}
    assert shown == {stage.model("made").text}


def test_answer_to_a_slow_client_comes_after_what_it_answers(stage: Stage) -> None:
    line = stage.view(1 * MB)
    stage.view()
    stage.model("slider").on_change("value", lambda attr, old, new: setattr(stage.model("made"), "text", f"{new}"))
    stage.document.add_periodic_callback(
        lambda: setattr(stage.model("source"), "data", {"x": np.zeros(POINTS), "y": np.zeros(POINTS)}), 50
    )
    stage.loop.run_for(1)
    stage.receive(line, change(stage.session, "slider", "value", 7, "asked"))
    stage.loop.run_for(1)
    kinds = [whole.header.get("reqid") or b'"new":"7"' in whole.content for whole in line.messages]
    assert 0 < kinds.index(True) < kinds.index("asked")


def test_client_that_never_answers_is_sent_everything(stage: Stage) -> None:
    line = stage.view(answers=False)
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(10)
    assert len(ages_s(line)) >= 185, "but for a second in which its first answer may still come"


def test_client_that_stops_answering_holds_up_nobody_and_waits_within_bounds(stage: Stage) -> None:
    stopped, quick = stage.view(), stage.view()
    stage.document.add_periodic_callback(replace(stage), 50)
    stage.loop.run_for(1)
    stopped.bytes_per_s = 1e-3
    stage.loop.run_for(20)
    assert stage.runtime.delivery.queued_bytes < 0.2 * MB and len(ages_s(quick)) >= 415


def test_client_for_which_too_much_waits_is_given_up(stage: Stage) -> None:
    stopped, quick = stage.view(), stage.view()
    run = stream(stage, 60_000)
    slider = stage.model("slider")
    slider.on_change("value", lambda attr, old, new: run())
    for value in range(100):
        if value == 5:
            stopped.bytes_per_s = 1e-3
        stage.receive(quick, change(stage.session, "slider", "value", value + 1))
        stage.loop.run_for(0.1)
    assert stopped.given_up and not quick.given_up
    assert stage.runtime.delivery.queued_bytes == 0 and len(streamed(quick)) == 100
