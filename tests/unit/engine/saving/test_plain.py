"""Values as JSON: only what comes back as it was is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from app_server.engine.saving.plain import NotPlain, exact_json, from_exact, plain_json
from app_server.security.auth.users import User, identity


@dataclass(frozen=True)
class Row:
    id: int


@pytest.mark.parametrize(
    "user",
    [
        None,
        "ann",
        7,
        b"ann",
        {"id": 7, "roles": ["a", None]},
        ["a", 1.5],
        User("ann"),
        User("ann", "header"),
        User("ann", "oidc", MappingProxyType({"sub": "1", "iss": "https://id.example", "groups": ["a"]})),
    ],
    ids=repr,
)
def test_user_comes_back_as_the_same_user(user: Any) -> None:
    again = from_exact(exact_json(user))
    assert again == user and type(again) is type(user)
    assert user is None or identity(again) == identity(user)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Row(7), "a Row is not a plain value"),
        (("ann", 7), "it would come back as another value"),
        ({7: "ann"}, "it would come back as another value"),
        (float("nan"), "it would come back as another value"),
        ({"$bytes": "00"}, "it would come back as another value"),
        ({"$user": 3}, "app_server.security.auth.users.User() argument after ** must be a mapping, not int"),
        (np.arange(3), "a ndarray is not a plain value"),
    ],
    ids=repr,
)
def test_what_would_come_back_as_something_else_is_refused(value: Any, why: str) -> None:
    with pytest.raises(NotPlain) as caught:
        exact_json(value)
    assert str(caught.value) == why


def test_what_a_hook_returned_may_hold_bytes_and_mappings() -> None:
    value: Mapping[str, Any] = {"raw": b"\0\xff", "more": {"deep": [b"", {"a": 1}]}}
    assert from_exact(exact_json(MappingProxyType(dict(value)))) == value


def test_state_is_texts_numbers_lists_and_dictionaries() -> None:
    assert plain_json({"a": [1, None, True, "ü", {"b": 1.5}], "range": (1, 2)}, 100) == (
        '{"a": [1, null, true, "\\u00fc", {"b": 1.5}], "range": [1, 2]}'
    )


@pytest.mark.parametrize("value", [None, 1, "a", True, 1.5, [], {}])
def test_one_value_is_plain_too(value: Any) -> None:
    assert json.loads(plain_json(value, 100)) == value


def test_state_in_a_ring_or_without_end_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(NotPlain, match="Circular reference"):
        plain_json(ring, 100)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NotPlain, match="recursion"):
        plain_json(deep, 10**9)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": {1: "b"}}, "the key 1 of a dictionary is not a text"),
        ([({None: 1},)], "the key None of a dictionary is not a text"),
        ({"a": {1, 2}}, "Object of type set is not JSON serializable"),
        ({"a": Row(1)}, "Object of type Row is not JSON serializable"),
        ({"a": np.int64(1)}, "Object of type int64 is not JSON serializable"),
        ("x" * 99, "it takes 101 bytes, more than the 100 allowed by --store-max-bytes"),
    ],
    ids=repr,
)
def test_other_state_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(NotPlain) as caught:
        plain_json(value, 100)
    assert str(caught.value) == why


class Broken(dict[str, int]):
    """A dictionary of an application's own, whose code is wrong."""

    def items(self) -> Any:
        raise KeyError("no such thing")

    def __eq__(self, other: object) -> bool:
        raise OSError("away")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("read", [exact_json, lambda value: plain_json(value, 1000)], ids=["exact", "plain"])
def test_what_raises_anything_while_it_is_read_is_refused(read: Any) -> None:
    with pytest.raises(NotPlain):
        read({"a": [Broken(a=1)]})
