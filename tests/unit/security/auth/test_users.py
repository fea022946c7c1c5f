"""Users, and how they are distinguished."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import FrozenInstanceError, dataclass
from types import MappingProxyType, SimpleNamespace
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


@pytest.mark.parametrize("text", ["a", "a" * 256])
def test_name_has_one_to_256_characters(text: str) -> None:
    assert is_name(text)


def test_user_of_a_provider_is_the_issuers_subject() -> None:
    claims = {"iss": "https://id.example.org", "sub": "7"}
    assert identity(User("Ann", "oidc", claims)) == "oidc\nhttps://id.example.org\n7"
    assert identity(User("Ann", "oidc", {"sub": "7"})) == "oidc\n\n7"
    assert identity(User("Ann", "oidc")) == "oidc\n\nAnn"
    assert identity(User("Ann", "header", {"sub": "7"})) == "header\n\nAnn"


def test_hash_of_a_user_tells_names_and_ways_apart() -> None:
    users = [User("ann"), User("bob"), User("ann", "header")]
    assert len({hash(user) for user in users}) == 3
    assert hash(User("ann")) == hash(User("ann", claims={"sub": "1"}))


@pytest.mark.parametrize("name", ["sub", "id", "user_id", "uid", "username", "login", "preferred_username", "email"])
def test_account_is_named_by_what_its_table_calls_it(name: str) -> None:
    assert identity({name: "7", "name": "Ann"}) == f"{name}\n\n7"
    assert identity(SimpleNamespace(**{name: 7, "iss": "a"})) == f"{name}\na\n7"


@pytest.mark.parametrize("value", ["", None, True, 1.5, ["7"]])
def test_value_that_names_nobody_is_passed_over(value: object) -> None:
    assert identity({"sub": value, "email": "ann@example.org"}) == "email\n\nann@example.org"


def test_the_surest_name_of_a_user_is_taken() -> None:
    assert identity({"email": "ann@example.org", "id": 0, "username": "ann"}) == "id\n\n0"


def test_class_of_accounts_is_no_user() -> None:
    with pytest.raises(OperatorError, match="something of type type"):
        identity(Account)


def test_whole_of_what_has_no_name_tells_users_apart() -> None:
    assert identity({"team": "x", "name": "Ann"}) == 'json\n{"name": "Ann", "team": "x"}'
    assert identity(Account("x", 1)) == 'json\n{"seat": 1, "team": "x"}'
    assert identity(["x", 1]) == 'json\n["x", 1]'
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(OperatorError, match="something of type list"):
        identity(loop)
