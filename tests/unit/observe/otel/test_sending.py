"""A collector that may be away."""

from __future__ import annotations

from app_server.observe.otel.sending import Reachability


def test_end_does_not_wait_for_a_collector_that_was_away_the_last_time() -> None:
    collector = Reachability("metrics", "http://localhost:4318")
    assert collector.patience_s(2.0) == 2.0
    collector.note(arrived=False)
    assert (collector.patience_s(2.0), collector.patience_s(0.1)) == (0.2, 0.1)
    collector.note(arrived=True)
    assert collector.patience_s(2.0) == 2.0
