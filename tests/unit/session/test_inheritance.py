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
