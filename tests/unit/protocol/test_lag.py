"""How far a client is behind, by the answers that it gives."""

from __future__ import annotations

import pytest

from app_server.protocol.lag import MOST_PROBE_EVERY_BYTES, PROBE_EVERY_BYTES, QUEUED_BYTES, UNPROVEN_S, Lag


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


def test_first_probe_waits_for_a_message_of_four_kilobytes() -> None:
    assert Lag().probes(4095, 0.0) == (None, None)
    assert Lag().probes(4096, 0.0) == (asked(1), None)


def test_small_messages_are_probed_once_they_are_much() -> None:
    lag = Lag()
    assert [lag.probes(4000, 0.0) for _ in range(4)] == [(None, None)] * 4
    assert lag.probes(384, 0.0) == (None, asked(1))


@pytest.mark.parametrize(("size", "later_s", "probed"), [
    (16 * 1024, 1.0, True), (16 * 1024, 0.99, False), (16 * 1024 - 1, 1.0, False), (PROBE_EVERY_BYTES, 0.0, True),
    (PROBE_EVERY_BYTES - 1, 0.99, False),
])  # fmt: skip
def test_probe_is_due_by_bytes_or_by_bytes_and_time(size: int, later_s: float, probed: bool) -> None:
    lag = proven()
    lag.probes(PROBE_EVERY_BYTES, 16.0)
    assert lag.probes(size, 16.0 + later_s) == (None, asked(3) if probed else None)


@pytest.mark.parametrize(("took_s", "every_bytes"), [
    (1 / 8, PROBE_EVERY_BYTES), (1 / 32, 2 * (PROBE_EVERY_BYTES + 5000)), (1 / 512, MOST_PROBE_EVERY_BYTES),
])  # fmt: skip
def test_line_is_probed_by_what_it_carries_in_a_sixteenth_of_a_second(took_s: float, every_bytes: int) -> None:
    lag = proven()
    lag.probes(PROBE_EVERY_BYTES, 10.0)
    lag.answered(asked(2), 10.0 + took_s)
    assert lag.probes(every_bytes - 1, 10.1) == (None, None)
    assert lag.probes(1, 10.1) == (None, asked(3))


def test_messages_that_end_before_the_next_look_need_none() -> None:
    lag = Lag()
    assert lag.look_at_bytes == 4096
    lag.probes(5000, 0.0)
    assert lag.look_at_bytes == 5000 + 16 * 1024
    lag.probes(60_000, 0.0)
    assert lag.look_at_bytes == PROBE_EVERY_BYTES
    lag.probes(1000, 0.0)
    assert lag.look_at_bytes == 66_000 + 16 * 1024
    lag.was_late(1.0)
    assert lag.look_at_bytes == 0
    lag.probes(10, 5.9)
    assert lag.look_at_bytes == 0
    lag.probes(10, 6.0)
    assert lag.look_at_bytes == 66_020 + 16 * 1024


def test_client_is_watched_closely_for_five_seconds() -> None:
    for later_s, probe in ((4.5, asked(2)), (5.0, None)):
        lag = proven()
        lag.was_late(16.0)
        assert lag.probes(10, 16.0 + later_s) == (None, probe)


@pytest.mark.parametrize(
    ("messages", "strict", "late_s"), [(1, False, 0.3), (2, False, 0.2), (1, True, 0.25), (2, True, 0.05)]
)
def test_several_messages_are_late_sooner_than_one(messages: int, strict: bool, late_s: float) -> None:
    lag = proven()
    if strict:
        lag.was_late(10.0)
    for _ in range(messages):
        lag.probes(PROBE_EVERY_BYTES, 10.0)
    assert not lag.is_late(0, 10.0 + late_s - 0.01)
    assert lag.is_late(0, 10.0 + late_s + 0.01)


def test_distance_is_half_a_second_at_most() -> None:
    lag = proven(distance_s=0.8)
    lag.probes(PROBE_EVERY_BYTES, 10.0)
    assert not lag.is_late(0, 10.79) and lag.is_late(0, 10.81)


def test_distance_is_that_of_the_quickest_answer() -> None:
    lag = proven(distance_s=0.4)
    lag.probes(PROBE_EVERY_BYTES, 10.0)
    lag.answered(asked(2), 10.1)
    lag.probes(PROBE_EVERY_BYTES, 20.0)
    assert not lag.is_late(0, 20.39) and lag.is_late(0, 20.41)


def room(lag: Lag, now_s: float) -> int:
    """How much more may be sent now until the client is late, to 100 bytes."""
    lag.was_late(now_s - 100)  # long ago
    sent = 0
    while not lag.is_late(0, now_s):
        lag.probes(100, now_s)
        sent += 100
    return sent - 100


def test_line_that_was_not_measured_may_have_a_fifth_of_its_second_under_way() -> None:
    assert room(proven(), 10.0) == 1_000_000 - 5000
    assert room(proven(distance_s=0.4), 10.0) == 3_000_000 - 5000


@pytest.mark.parametrize(("took_s", "more"), [
    (None, 200_000),  # a fifth of 1 MB/s, which was measured first
    (0.1, 400_000),  # 2 MB/s: a line that shows to be quicker is believed
    (1.0, 160_000),  # 0.2 MB/s: a line that seems to be slower is believed to a quarter
])  # fmt: skip
def test_first_measure_is_believed_and_slower_ones_by_and_by(took_s: float | None, more: int) -> None:
    lag = proven()
    lag.probes(1_995_000, 10.0)
    lag.answered(asked(2), 12.0)
    if took_s is not None:
        lag.probes(200_000, 16.0)
        lag.answered(asked(3), 16.0 + took_s)
    assert abs(room(lag, 20.0) - more) <= 100


def test_measure_leaves_the_distance_out() -> None:
    lag = proven(distance_s=0.5)
    lag.probes(495_000, 10.0)
    lag.answered(asked(2), 11.0)  # 500 kB in half a second, and half a second for the way
    assert room(lag, 20.0) == 700_000


def test_slow_line_may_have_128_kilobytes_under_way() -> None:
    lag = proven()
    lag.probes(95_000, 10.0)
    lag.answered(asked(2), 20.0)
    assert room(lag, 30.0) == 128 * 1024 // 100 * 100


@pytest.mark.parametrize("under_way", [False, True])
def test_kernel_may_keep_256_kilobytes(under_way: bool) -> None:
    lag = proven()
    if under_way:
        lag.probes(PROBE_EVERY_BYTES, 10.0)
    assert not lag.is_late(QUEUED_BYTES, 10.0) and lag.is_late(QUEUED_BYTES + 1, 10.0)
    assert lag.has_room(QUEUED_BYTES) and not lag.has_room(QUEUED_BYTES + 1)


def test_there_is_room_behind_one_probe_and_not_behind_two() -> None:
    lag = proven()
    assert lag.has_room(0)
    for expected in (True, False):
        lag.probes(PROBE_EVERY_BYTES, 10.0)
        assert lag.has_room(0) is expected


def test_client_that_has_not_answered_is_sent_a_megabyte() -> None:
    lag = Lag()
    lag.probes(1 << 20, 0.0)
    lag.taken(0)
    assert not lag.is_late(0, 0.0)
    lag.probes(1, 0.0)
    assert lag.is_late(0, 0.0)


def test_client_is_unproven_from_its_first_probe_on_until_it_answers() -> None:
    lag = Lag()
    assert not lag.is_unproven(0.0)
    lag.probes(5000, 10.0)
    assert lag.is_unproven(10.0) and lag.is_unproven(10.99) and not lag.is_unproven(10.0 + UNPROVEN_S)
    lag.answered(asked(1), 10.5)
    assert not lag.is_unproven(10.6)


def test_client_that_stops_answering_is_given_up_when_the_kernel_has_nothing_left() -> None:
    lag = proven()
    lag.probes(100_000, 10.0)
    assert lag.is_late(0, 40.0) and lag.is_late(1, 41.0) and not lag.is_idle
    assert not lag.is_late(0, 41.0) and lag.is_idle


def test_oldest_message_that_is_not_confirmed_is_told_with_its_time() -> None:
    lag = proven()
    assert lag.oldest_s is None
    for at in (10.0, 11.0):
        lag.probes(PROBE_EVERY_BYTES, at)
    assert lag.oldest_s == 10.0
    lag.answered(asked(2), 11.5)
    assert lag.oldest_s == 11.0
    assert not lag.is_idle


def test_answers_of_another_length_are_a_keep_alives() -> None:
    lag = Lag()
    lag.probes(5000, 0.0)
    for payload in (b"", b"\x01", b"\0\0\0\0\x01", b"\x01\0\0\0"):
        lag.answered(payload, 0.1)
    assert not lag.answers
    lag.answered(asked(1), 0.2)
    assert lag.answers


def test_kernel_confirms_what_it_has_taken_to_the_byte() -> None:
    lag = Lag()
    lag.probes(PROBE_EVERY_BYTES, 0.0)
    lag.probes(PROBE_EVERY_BYTES, 0.1)
    lag.taken(PROBE_EVERY_BYTES + 1)
    assert (len(lag.under_way), lag.oldest_s) == (2, 0.0)
    lag.taken(PROBE_EVERY_BYTES)
    assert (len(lag.under_way), lag.oldest_s) == (1, 0.1)
    lag.taken(0)
    assert lag.is_idle


def test_what_the_kernel_has_taken_is_not_confirmed_for_a_client_that_answers() -> None:
    lag = proven()
    lag.probes(PROBE_EVERY_BYTES, 10.0)
    lag.taken(0)
    assert not lag.is_idle and lag.unconfirmed_bytes == 5000 + PROBE_EVERY_BYTES
    assert Lag().unconfirmed_bytes == 0


def test_answer_again_to_the_first_probe_changes_nothing() -> None:
    lag = proven()
    lag.probes(PROBE_EVERY_BYTES, 10.0)
    lag.answered(asked(1), 10.1)
    assert lag.oldest_s == 10.0


def test_answer_to_the_second_probe_stands_for_the_first() -> None:
    lag = Lag()
    assert lag.probes(300_000, 10.0) == (asked(1), asked(2))
    lag.answered(asked(2), 10.1)
    assert lag.answers and lag.is_idle and lag.unconfirmed_bytes == 0


def test_client_that_gives_no_answers_is_late_by_the_clock() -> None:
    lag = Lag()
    lag.probes(PROBE_EVERY_BYTES, 0.0)
    lag.taken(10_000)
    assert not lag.is_late(10_000, 0.25) and lag.is_late(10_000, 0.5)


def test_client_is_late_after_its_time_and_strictly_for_less_than_five_seconds() -> None:
    lag = proven()
    lag.was_late(16.0)
    lag.probes(10, 16.0)
    assert not lag.is_late(0, 16.25) and lag.is_late(0, 16.26)
    lag.answered(asked(2), 16.3)
    lag.probes(PROBE_EVERY_BYTES, 20.875)
    lag.probes(PROBE_EVERY_BYTES, 20.875)
    assert lag.is_late(0, 20.96875) and not lag.is_late(0, 21.0)
