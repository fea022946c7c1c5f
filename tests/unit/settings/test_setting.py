"""What follows from the name and the type of a field, and what may be stated instead."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from app_server.settings.setting import Arity, Setting, derive


def derived(name: str, annotation: Any, **stated: Any) -> Setting:
    """A setting with a default of None in the group "Network"."""
    return derive(name, annotation, None, {"help": "h", "reason": "r", "secret": False, **stated}, "Network")


@pytest.mark.parametrize(
    ("name", "annotation", "flag", "metavar", "unit", "arity"),
    [
        ("use_it", bool, "--use-it", "", "", Arity.SWITCH),
        ("many", int, "--many", "N", "", Arity.ONE),
        ("many", int | None, "--many", "N", "", Arity.ONE),
        ("wait_s", float, "--wait", "SECONDS", "s", Arity.ONE),
        ("wait_ms", int, "--wait", "MS", "ms", Arity.ONE),
        ("memory_mb", int, "--memory", "MEGABYTES", "MB", Arity.ONE),
        ("size_bytes", int, "--size", "BYTES", "bytes", Arity.ONE),
        ("names", tuple[str, ...], "--names", "", "", Arity.REPEATED),
        ("names", tuple[str, ...] | None, "--names", "", "", Arity.REPEATED),
    ],
)
def test_flag_metavar_unit_and_arity_follow(
    name: str, annotation: Any, flag: str, metavar: str, unit: str, arity: Arity
) -> None:
    found = derived(name, annotation)
    assert (found.flag, found.metavar, found.unit, found.arity) == (flag, metavar, unit, arity)


@pytest.mark.parametrize(
    ("annotation", "word", "value", "refused"),
    [
        (bool, "no", False, "perhaps"),
        (int, "7", 7, "-1"),
        (float, "0.5", 0.5, "x"),
        (str | None, "x", "x", ""),
        (tuple[str, ...], "x", "x", ""),
        (Literal["a", "b"], "A", "a", "c"),
    ],
)
def test_parser_follows_from_the_type(annotation: Any, word: str, value: object, refused: str) -> None:
    found = derived("any", annotation)
    assert found.parse(word) == value
    with pytest.raises(ValueError):
        found.parse(refused)


def test_choices_follow_from_a_literal() -> None:
    assert derived("any", Literal["a", "b"]).choices == ("a", "b")
    assert derived("any", str).choices == ()


def test_secret_has_no_flag_unless_one_is_stated() -> None:
    assert derived("key", str | None, secret=True).flag is None
    assert derived("key", str | None, secret=True, flag="--key").flag == "--key"


def test_what_is_stated_has_precedence() -> None:
    found = derived("wait_s", float, parse=str, metavar="DAYS", group="Pages")
    assert (found.parse, found.metavar, found.group) == (str, "DAYS", "Pages")
