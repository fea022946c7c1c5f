"""Blocks with keys."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import TypeAdapter

from app_server.deployment.spec import words
from app_server.deployment.spec.base import Model
from app_server.deployment.spec.readers import LIST, whole
from tests.unit.deployment.spec.typed import fault, read


class Door(Model):
    """A block for tests."""

    short: ClassVar[str | None] = "width"

    width: Annotated[int, whole(1, 9)] = 3
    colors: Annotated[tuple[words.Name, ...], LIST] = ()


class Locked(Model):
    """A block whose value must not be quoted."""

    refusal: ClassVar[str | None] = "names where the key is"

    key: words.FilePath | None = None


class Plain(Model):
    """A block that no bare value stands for."""

    width: words.Port = 1


def test_a_single_value_is_a_list_of_one() -> None:
    assert read(Door, {"colors": "red"}).colors == ("red",)
    assert read(Door, {"colors": ["red", "blue"]}).colors == ("red", "blue")
    assert fault(Door, {"colors": {"a": 1}}) == "expected a value or a list of values, not a block with keys"


def test_a_bare_value_stands_for_the_short_field() -> None:
    assert read(Door, "5") == Door(width=5)
    assert fault(Door, "10") == "expected a whole number from 1 to 9, not '10'"


def test_nothing_and_a_key_without_a_value_mean_the_default() -> None:
    assert read(Door, None) == read(Door, {"width": None}) == Door(width=3)


def test_keys_of_the_authors_own_are_skipped_and_others_refused() -> None:
    assert read(Door, {"x-note": [1], "width": "4"}).width == 4
    assert fault(Door, {"widht": "4"}) == "Extra inputs are not permitted"


def test_a_value_that_is_no_block_is_quoted_unless_it_may_be_a_secret() -> None:
    assert fault(Plain, "word") == "expected lines of the form `key: value`, not 'word'"
    assert fault(Plain, ["a"]) == "expected lines of the form `key: value`, not a list"
    assert fault(Locked, "hunter2") == "names where the key is"


def test_schema_takes_the_bare_value_and_keys_of_the_authors_own() -> None:
    schema = TypeAdapter(Door).json_schema()
    bare, block = schema["anyOf"]
    assert (bare["type"], bare["minimum"], bare["maximum"]) == ("integer", 1, 9)
    assert block["patternProperties"] == {"^x-": {}} and block["additionalProperties"] is False
