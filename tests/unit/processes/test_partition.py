"""Which slot a session belongs to, and which process takes which slots."""

from __future__ import annotations

from collections import Counter

from app_server.processes.partition import mint_for, slot_of, slots_of_joining, spread


def test_an_id_is_minted_for_a_slot_that_is_held() -> None:
    numbers = iter(range(10_000))
    assert slot_of(mint_for({3, 5}, 16, lambda: f"id-{next(numbers)}"), 16) in (3, 5)


def test_the_first_takes_everything() -> None:
    assert slots_of_joining(dict.fromkeys(range(8)), []) == {None: set(range(8))}


def test_a_joining_process_takes_from_those_who_have_most() -> None:
    holders = {slot: "a" if slot < 6 else "b" for slot in range(9)}
    taken = slots_of_joining(holders, ["a", "b"])
    assert {who: len(slots) for who, slots in taken.items()} == {"a": 3}


def test_a_joining_process_takes_what_nobody_holds_and_all_of_who_leaves() -> None:
    holders = {0: "leaver", 1: "leaver", 2: None, 3: "stays", 4: "stays", 5: "stays"}
    assert slots_of_joining(holders, ["stays"]) == {"leaver": {0, 1}, None: {2}}


def test_nothing_is_taken_from_who_cannot_be_asked() -> None:
    assert slots_of_joining(dict.fromkeys(range(4), "busy"), [], ["busy"]) == {}


def test_nobody_is_left_without_a_slot() -> None:
    taken = slots_of_joining({0: "a", 1: "b"}, ["a", "b"])
    assert taken == {}


def test_who_leaves_gives_to_those_who_have_least() -> None:
    given = spread(range(5), {"rich": 10, "poor": 1, "middling": 3})
    assert Counter({who: len(slots) for who, slots in given.items()}) == {"poor": 4, "middling": 1}
