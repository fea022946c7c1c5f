"""The rules of who may open which application."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from app_server.security.auth.access import AccessRules, unknown_to
from app_server.security.auth.users import User


def rules(*words: str) -> AccessRules:
    return AccessRules.read(words, lambda route: route)


def test_without_rules_everyone_may_open_everything() -> None:
    assert AccessRules().allow(User("ann"), "/sales") and not AccessRules().of("/sales")


def test_application_with_rules_is_open_to_whom_one_of_them_names() -> None:
    some = rules("/sales=user:ann", "/sales=group:analysts")
    assert some.allow(User("ann"), "/sales")
    assert some.allow(User("bob", groups=("staff", "analysts")), "/sales")
    assert not some.allow(User("cyd", groups=("staff",)), "/sales")
    assert some.allow(User("cyd"), "/other")


def test_star_is_for_applications_without_rules_of_their_own() -> None:
    some = rules("*=group:staff", "/lobby=user:*", "/sales=user:ann")
    staff, guest = User("sam", groups=("staff",)), User("gus")
    assert some.allow(staff, "/board") and not some.allow(guest, "/board")
    assert some.allow(guest, "/lobby")
    assert not some.allow(staff, "/sales")


@pytest.mark.parametrize(
    ("pattern", "fits"), [("ann", True), ("a*", True), ("?nn", True), ("[a-c]nn", True), ("ANN", False), ("an", False)]
)
def test_pattern_fits_the_whole_name(pattern: str, fits: bool) -> None:
    assert rules(f"/x=user:{pattern}").allow(User("ann"), "/x") is fits


def test_name_that_people_choose_themselves_opens_nothing() -> None:
    claims = {"sub": "1", "name": "boss", "email": "boss@example.org"}
    user = User("boss@example.org", "oidc", claims)
    assert not rules("/x=user:boss").allow(user, "/x")
    assert not rules("/x=user:*@example.org").allow(user, "/x")
    sure = User("x", "oidc", {**claims, "email_verified": True, "preferred_username": "mia"})
    assert rules("/x=user:*@example.org").allow(sure, "/x")
    assert rules("/x=user:mia").allow(sure, "/x")


def test_login_that_looks_like_a_number_or_an_email_is_not_that_of_another_user() -> None:
    thief = User("x", "oauth", {"sub": "2", "preferred_username": "1", "email": "thief@home.example"})
    boss = User("y", "oauth", {"sub": "1", "preferred_username": "boss", "email": "boss@example.org"})
    assert rules("/x=user:1").allow(thief, "/x") and not rules("/x=user:1").allow(boss, "/x")
    disguised = User("z", "oidc", {"sub": "3", "preferred_username": "boss@example.org"})
    assert not rules("/x=user:boss@example.org", "/x=user:*@example.org").allow(disguised, "/x")
    assert not rules("/x=user:7").allow({"id": 7, "username": "ann"}, "/x")
    assert rules("/x=user:7").allow({"id": 7}, "/x")


@dataclass
class Account:
    username: str
    groups: Any = None


@pytest.mark.parametrize(
    "user",
    [
        "ann", b"ann", {"username": "ann"}, Account("ann"), {"id": 7, "groups": ["staff"]},
        Account("x", groups={"staff"}), SimpleNamespace(uid="y", groups="staff"),
    ],
)  # fmt: skip
def test_what_hooks_return_has_names_and_groups(user: Any) -> None:
    assert rules("/x=user:ann", "/x=group:staff").allow(user, "/x")


@pytest.mark.parametrize("user", ["bob", {"name": "ann"}, {"groups": 3}, {"groups": [True, None]}, 5, object()])
def test_what_names_no_one_opens_nothing(user: Any) -> None:
    assert not rules("/x=user:ann", "/x=group:*").allow(user, "/x")


def test_rules_say_whether_they_name_groups() -> None:
    some = rules("/sales=group:an*", "/sales=user:staff")
    assert some.need_groups and not rules("/x=user:ann").need_groups
    assert some.names_group("analysts") and not some.names_group("staff")


def test_rules_that_let_no_one_in_are_found() -> None:
    some = rules("/x=user:ann", "/x=user:bob", "/x=group:staff", "/x=group:st*", "/x=group:sraff")
    assert list(map(str, unknown_to(some, ["ann"], ["staff"]))) == ["/x=user:bob", "/x=group:sraff"]
