"""How values are read from text."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import TypeAdapter

from app_server.deployment.spec import readers
from app_server.deployment.spec.readers import choice, number, quoted, seconds, whole
from tests.unit.deployment.spec.test_words import ACCEPTED, REFUSED
from tests.unit.deployment.spec.typed import fault, read


@pytest.mark.parametrize("word", ["yes", "true", "on", "YES", "On", True])
def test_words_for_yes(word: object) -> None:
    assert read(readers.Flag, word) is True


@pytest.mark.parametrize("word", ["no", "false", "off", "NO", "Off", False])
def test_words_for_no(word: object) -> None:
    assert read(readers.Flag, word) is False


@pytest.mark.parametrize("word", ["1", "0", "y", "", "yes ", "none", 1])
def test_what_is_neither_yes_nor_no(word: object) -> None:
    assert fault(readers.Flag, word) == f"expected yes or no, not {str(word)!r}"


def test_whole_numbers_without_an_upper_limit_end_somewhere_all_the_same() -> None:
    kind = Annotated[int, whole(-5)]
    assert read(kind, "-5") == -5 and read(kind, str(readers.LARGEST)) == readers.LARGEST
    assert fault(kind, "-6") == "expected a whole number, at least -5, not '-6'"
    assert fault(kind, str(readers.LARGEST + 1)) == f"expected a whole number, at least -5, not '{readers.LARGEST + 1}'"


@pytest.mark.parametrize(("word", "value"), [("0.1", 0.1), ("75", 75.0), ("0.100000", 0.1), ("007", 7.0), (3, 3.0)])
def test_durations(word: object, value: float) -> None:
    assert read(Annotated[float, seconds(0.1, 75)], word) == value


@pytest.mark.parametrize("word", ["0.09", "75.000001", "5s", "1m", "-1", "1e1", "inf", "nan", ".5", "5.", "1.0000000"])
def test_what_is_no_duration(word: str) -> None:
    expected = f"expected a number of seconds from 0.1 to 75, not {word!r}"
    assert fault(Annotated[float, seconds(0.1, 75)], word) == expected


def test_numbers_without_an_upper_limit() -> None:
    assert read(Annotated[float, number(0.5)], "999999999999.5") == 999999999999.5
    assert fault(Annotated[float, number(0.5)], "0.4") == "expected a number, at least 0.5, not '0.4'"
    assert fault(Annotated[float, seconds(1)], "0") == "expected a number of seconds, at least 1, not '0'"


@pytest.mark.parametrize("word", ["none", "None", "no", "off", "FALSE", False])
def test_words_for_nothing(word: object) -> None:
    assert read(Annotated[Literal["nginx", "none"], choice()], word) == "none"


@pytest.mark.parametrize("word", ["no", "none", "off", False])
def test_no_is_a_word_only_of_choices_that_can_be_nothing(word: object) -> None:
    shown = "no" if word is False else word
    assert fault(Annotated[Literal["text", "json"], choice()], word) == f"expected one of text, json, not {shown!r}"


def test_choices_take_any_case() -> None:
    assert read(Annotated[Literal["text", "json"], choice()], "JSON") == "json"


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in ACCEPTED for word in words])
def test_text_is_taken_as_it_is_written(kind: Any, word: str) -> None:
    assert read(kind, word) == word


@pytest.mark.parametrize(
    ("kind", "expected", "word"), [(kind, expected, word) for kind, expected, words in REFUSED for word in words]
)
def test_other_text_is_refused_with_what_was_expected(kind: Any, expected: str, word: str) -> None:
    assert fault(kind, word) == f"expected {expected}, not {quoted(word)}"


def test_a_long_value_is_quoted_in_part_and_on_one_line() -> None:
    assert quoted("a" * 60) == repr("a" * 60)
    assert quoted("a" * 61) == repr("a" * 60) + "..."
    assert quoted("a\nb\x1b") == r"'a\nb\x1b'"


def test_schema_of_a_choice_that_can_be_nothing_takes_false() -> None:
    assert TypeAdapter(Annotated[Literal["nginx", "none"], choice()]).json_schema() == {
        "enum": ["nginx", "none", False]
    }
    assert TypeAdapter(Annotated[Literal["text", "json"], choice()]).json_schema() == {"enum": ["text", "json"]}
