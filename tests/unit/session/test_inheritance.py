"""Sessions that other processes have left to this one."""

from __future__ import annotations

from app_server.session.inheritance import Inheritance


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_inherited_sessions_are_kept_for_a_while_after_they_were_last_named() -> None:
    clock = Clock()
    inherited = Inheritance(clock, kept_s=60)
    inherited.add(["one", "other"])
    clock.now_s += 50
    inherited.add(["one"])
    clock.now_s += 20
    assert "one" in inherited and "other" not in inherited
    assert len(inherited) == 1
    clock.now_s += 60
    assert len(inherited) == 0


def test_the_oldest_are_forgotten_where_there_are_too_many() -> None:
    inherited = Inheritance(Clock(), most=2)
    inherited.add(["a", "b", "c"])
    assert ["a" in inherited, "b" in inherited, "c" in inherited] == [False, True, True]


def test_inherited_session_is_kept_for_its_time_and_no_longer() -> None:
    clock = Clock()
    inherited = Inheritance(clock, kept_s=64)
    inherited.add(["one"])
    clock.now_s += 63.5
    assert "one" in inherited
    clock.now_s += 0.5
    assert "one" not in inherited


def test_sessions_are_kept_for_an_hour_by_the_thousand() -> None:
    clock = Clock()
    inherited = Inheritance(clock)
    inherited.add(str(number) for number in range(10_001))
    assert "0" not in inherited and "1" in inherited and len(inherited) == 10_000
    clock.now_s += 3599
    assert len(inherited) == 10_000
    clock.now_s += 1
    assert len(inherited) == 0


def test_session_that_is_named_again_is_among_the_newest() -> None:
    inherited = Inheritance(Clock(), most=2)
    inherited.add(["a", "b", "a", "c"])
    assert ["a" in inherited, "b" in inherited, "c" in inherited] == [True, False, True]
