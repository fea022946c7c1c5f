"""Users, and how they are told from one another."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import FrozenInstanceError, dataclass
from types import MappingProxyType
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.security.auth.users import User, identity, is_name


@dataclass
class Account:
    team: str
    seat: int


class Row:
    def __init__(self, id: int) -> None:
        self.id = id


class Anybody:
    pass


Pair = namedtuple("Pair", "first second")


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("ann", "ann", "bob"),
        (b"ann", b"ann", b"bob"),
        (7, 7, 8),
        ({"id": 1, "seen": "now"}, {"id": 1, "seen": "later"}, {"id": 2, "seen": "now"}),
        ({"sub": "1", "iss": "a"}, {"sub": "1", "iss": "a"}, {"sub": "1", "iss": "b"}),
        ({"name": "Ann", "team": "x"}, {"team": "x", "name": "Ann"}, {"name": "Ann", "team": "y"}),
        (Account("x", 1), Account("x", 1), Account("x", 2)),
        (Pair("x", 1), Pair("x", 1), Pair("x", 2)),
        (Row(1), Row(1), Row(2)),
        (User("ann"), User("ann"), User("bob")),
        (User("Ann", "oidc", {"sub": "1"}), User("Anne", "oidc", {"sub": "1"}), User("Ann", "oidc", {"sub": "2"})),
    ],
)
def test_users_are_told_apart(one: Any, same: Any, other: Any) -> None:
    assert identity(one) == identity(same)
    assert identity(one) != identity(other)


def test_users_of_different_kinds_are_not_the_same() -> None:
    kinds = ["1", b"1", 1, {"id": "1"}, User("1"), User("1", "header"), User("1", "oidc", {"sub": "1"})]
    assert len({identity(user) for user in kinds}) == len(kinds)


@pytest.mark.parametrize("user", [Anybody(), {"key": object()}])
def test_user_who_could_be_anybody_is_refused(user: object) -> None:
    with pytest.raises(OperatorError) as caught:
        identity(user)
    assert str(caught.value) == (
        f"--auth-module: get_user returned something of type {type(user).__name__}, which could be any user. "
        "Return a text, or something that has an id, a username or an email."
    )


def test_user_is_a_value_that_reads_as_its_name() -> None:
    user = User("ann", "oidc", MappingProxyType({"sub": "1"}))
    assert str(user) == "ann"
    assert user == User("ann", "oidc", MappingProxyType({"sub": "1"}))
    assert len({user, User("ann", "oidc", MappingProxyType({"sub": "1"}))}) == 1
    with pytest.raises(FrozenInstanceError):
        user.name = "bob"  # type: ignore[misc]


@pytest.mark.parametrize(("text", "fits"), [
    ("ann", True), ("Ann Bee", True), ("ann@example.org", True), ("änn", True), ("", False), ("a:b", False),
    (" ann", False), ("ann\n", False), ("a\0b", False), ("#ann", False), ("a" * 257, False),
])  # fmt: skip
def test_name_is_visible_text_without_a_colon(text: str, fits: bool) -> None:
    assert is_name(text) is fits
