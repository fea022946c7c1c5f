"""How far a client is behind, by the answers that it gives."""

from __future__ import annotations

from app_server.protocol.lag import PROBE_EVERY_BYTES, UNPROVEN_S, Lag


def asked(number: int) -> bytes:
    return number.to_bytes(4, "big")


def proven(distance_s: float = 0.0) -> Lag:
    """A client that has answered its first probe, at this distance."""
    lag = Lag()
    assert lag.probes(5000, 0.0) == (asked(1), None)
    lag.answered(asked(1), distance_s)
    return lag


def test_small_messages_are_not_probed() -> None:
    lag = Lag()
    assert [lag.probes(200, at / 10) for at in range(50)] == [(None, None)] * 50
    assert not lag.is_late(0, 100.0) and lag.is_idle


def test_first_large_message_has_a_probe_before_it() -> None:
    assert proven().answers


def test_probe_follows_what_is_much_or_has_waited() -> None:
    lag = proven()
    assert lag.probes(PROBE_EVERY_BYTES, 0.1) == (None, asked(2))
    assert lag.probes(15_000, 0.2) == (None, None)
    assert lag.probes(2_000, 1.0) == (None, None)
    assert lag.probes(2_000, 1.2) == (None, asked(3))


def test_client_is_late_when_its_answer_is() -> None:
    lag = proven()
    lag.probes(100_000, 10.0)
    assert not lag.is_late(0, 10.2) and lag.is_late(0, 10.4)
    lag.answered(asked(2), 10.5)
    assert not lag.is_late(0, 10.5) and lag.is_idle


def test_client_that_was_late_is_watched_closely_for_a_while() -> None:
    lag = proven()
    lag.was_late(10.0)
    assert lag.probes(10, 10.0) == (None, asked(2)) and lag.probes(10, 10.1) == (None, asked(3))
    assert lag.is_late(0, 10.1)
    lag.answered(asked(3), 10.2)
    assert not lag.is_late(0, 10.2)
    assert lag.probes(10, 15.3) == (None, None)


def test_distance_is_no_lateness() -> None:
    lag = proven(distance_s=0.4)
    for at in range(8):
        lag.probes(PROBE_EVERY_BYTES, 10 + at / 20)
    assert not lag.is_late(0, 10.41) and lag.is_late(0, 10.7)


def test_more_than_the_line_carries_in_time_is_late_at_once() -> None:
    lag = proven()
    lag.probes(1_000_000, 10.0)
    lag.answered(asked(2), 11.0)
    lag.probes(100_000, 20.0)
    assert not lag.is_late(0, 20.0)
    lag.probes(150_000, 20.0)
    assert lag.is_late(0, 20.0)


def test_what_the_kernel_has_not_taken_is_late() -> None:
    assert proven().is_late(1_000_000, 0.0) and Lag().is_late(1_000_000, 0.0)


def test_client_without_answers_is_judged_by_what_the_kernel_takes() -> None:
    lag = Lag()
    lag.probes(PROBE_EVERY_BYTES, 0.0)
    lag.taken(10_000)
    assert lag.is_late(10_000, 2.0)
    lag.taken(0)
    assert not lag.is_late(0, 2.0)
    assert lag.probes(PROBE_EVERY_BYTES, 3.0) == (None, None)


def test_client_may_take_a_second_for_its_first_answer() -> None:
    lag = Lag()
    lag.probes(2_000_000, 0.0)
    lag.taken(0)
    assert lag.is_late(0, 0.5) and not lag.is_late(0, UNPROVEN_S)


def test_one_answer_confirms_all_probes_before_it() -> None:
    lag = proven()
    for at in range(3):
        lag.probes(PROBE_EVERY_BYTES, 10 + at / 100)
    assert lag.unconfirmed_bytes == 5000 + 3 * PROBE_EVERY_BYTES
    lag.answered(asked(4), 10.1)
    assert lag.unconfirmed_bytes == 0 and lag.is_idle


def test_what_is_sent_before_the_first_answer_is_probed_too() -> None:
    lag = Lag()
    assert lag.probes(300_000, 0.0) == (asked(1), asked(2))
    lag.answered(asked(1), 0.1)
    assert not lag.is_idle
    lag.answered(asked(2), 0.2)
    assert lag.is_idle and not lag.is_late(0, 9.0)


def test_client_whose_first_answer_comes_late_owes_none_that_it_was_not_asked_for() -> None:
    lag = Lag()
    lag.probes(5_000, 0.0)
    assert lag.probes(300_000, 5.0) == (None, None)
    lag.answered(asked(1), 6.0)
    assert lag.is_idle and not lag.is_late(0, 9.0)


def test_answers_to_nothing_are_ignored() -> None:
    lag = Lag()
    for payload in (b"", asked(0), asked(1), asked(77), b"12345", b"\xff" * 4):
        lag.answered(payload, 1.0)
    assert not lag.answers and lag.is_idle


def test_client_that_has_not_answered_for_long_is_sent_something_again() -> None:
    lag = proven()
    lag.probes(100_000, 10.0)
    assert lag.is_late(0, 39.0) and not lag.is_late(0, 41.0)
