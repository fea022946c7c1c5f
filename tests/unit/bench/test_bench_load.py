"""The sums of the scenarios, and the command lines of the servers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from app_server.load.wire import FrameReader, Message
from bench.canned import Recording, merge
from bench.load import next_value, quantile, spread_ms
from bench.run import medians
from bench.scenarios import SCENARIOS
from bench.servers import Launch, command
from bench.speed import behind_the_grid


def test_quantile_is_a_value_that_was_seen() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 3.0, 4.0]
    assert math.isnan(quantile([], 0.5))


def test_lost_answers_make_the_tail_infinite() -> None:
    assert spread_ms([0.001] * 98 + [math.inf] * 2) == {"p50_ms": 1.0, "p99_ms": math.inf}


def test_no_value_repeats_the_one_before() -> None:
    values = [next_value() for _ in range(10_001)]
    assert all(one != other for one, other in zip(values, values[1:], strict=False))
    assert 0 < min(values) and max(values) <= 5.001


def test_steady_timer_is_never_behind_the_grid_and_a_slow_one_falls_behind() -> None:
    assert behind_the_grid([7.0 + 0.05 * tick for tick in range(4)]) == pytest.approx([0.0] * 4)
    assert behind_the_grid([7.0 + 0.06 * tick for tick in range(3)]) == pytest.approx([0.0, 0.01, 0.02])
    assert behind_the_grid([]) == []


def test_medians_are_taken_figure_by_figure() -> None:
    assert medians([{"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 8.0}, {"a": 9.0, "b": 1.0}]) == {"a": 2.0, "b": 8.0}
    assert medians([]) == {}


def test_both_servers_get_the_same_flags() -> None:
    launch = Launch("sliders", unused_session_lifetime_ms=1000, check_unused_sessions_ms=500)
    stock, ours = (command(kind, launch, 5006, Path("recordings")) for kind in ("stock", "ours"))
    assert (stock[2], ours[2]) == ("bokeh", "app_server")
    assert stock[3:] == ours[3:]
    assert stock[-4:] == ["--unused-session-lifetime", "1000", "--check-unused-sessions", "500"]


def test_asgi_application_is_run_where_the_stock_server_is_with_one_process() -> None:
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    on_asgi = {name: by_name[name].on_asgi for name in ("round-trip", "slow-line", "opens", "saved-many", "drawn")}
    assert on_asgi == {"round-trip": True, "slow-line": True, "opens": False, "saved-many": False, "drawn": False}
    assert command("asgi", Launch("push"), 5006, Path("tapes"))[1:4] == ["-m", "bench.at_uvicorn", "serve"]


def test_canned_server_plays_the_recording_of_its_application() -> None:
    line = command("canned", Launch("push"), 5006, Path("tapes"))
    assert line[1:] == [
        "-m",
        "bench.canned",
        "tapes/push.json",
        "5006",
    ]


def test_recording_survives_its_file(tmp_path: Path) -> None:
    recording = Recording("<html>", "token", b"\x81", b"reply\xff", b"", b"ok", b"push", 2)
    recording.dump(tmp_path / "app.json")
    assert Recording.load(tmp_path / "app.json") == recording


def test_patches_without_buffers_are_merged_into_one() -> None:
    patches = [Message({"msgtype": "PATCH-DOC"}, b'{"events":[%d]}' % number, (), 3, 0.0) for number in (1, 2)]
    frames = FrameReader().feed(merge(patches))
    assert [payload for _, payload in frames] == [b'{"msgtype": "PATCH-DOC"}', b"{}", b'{"events":[1,2]}']
