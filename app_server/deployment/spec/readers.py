"""How values are read from text: each type reads the text of YAML in its own way.

A value comes from YAML as it was written there: `no` is false if a switch is expected and a name if a name is
expected, and `022` is never eighteen.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

LONGEST_QUOTE = 60

LARGEST = 10**12

T = TypeVar("T")


def quoted(value: object) -> str:
    """A value as an error quotes it: short, and on one line."""
    if isinstance(value, Mapping):
        return "a block with keys"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    return repr(text) if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]!r}..."


@dataclass(frozen=True, eq=False)
class Reader(Generic[T]):
    """A type of values that are read from text by `read`, which gives None for what is something else.

    Use it in Annotated. `expected` completes "expected ..." in errors, `schema` is the type's JSON Schema.
    """

    expected: str
    read: Callable[[str], T | None]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})

    def take(self, value: object) -> T:
        """The value that a text, or a value of Python's that can be written as one, stands for."""
        if isinstance(value, bool):
            value = "yes" if value else "no"
        found = self.read(str(value)) if isinstance(value, str | int | float) else None
        if found is None:
            raise ValueError(f"expected {self.expected}, not {quoted(value)}")
        return found

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.take)

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self.schema)


def matching(pattern: str, also: Callable[[str], bool]) -> Callable[[str], str | None]:
    """A reader's function that accepts only text of this pattern for which `also` is true."""
    # Compiled when it is needed, and then kept by `re`: most files have few of the keys.
    return lambda word: word if re.fullmatch(pattern, word) and also(word) else None


# What an editor takes for a number or a yes is text all the same where text is wanted.
_ANY_SCALAR = ["string", "number", "boolean"]


def text(expected: str, pattern: str, *, also: Callable[[str], bool] = lambda word: True) -> Reader[str]:
    """Text of which all matches the pattern."""
    return Reader(expected, matching(pattern, also), {"type": _ANY_SCALAR, "pattern": f"^(?:{pattern})$"})


_TRUE = {"yes", "true", "on"}

_FALSE = {"no", "false", "off"}


def _flag(word: str) -> bool | None:
    return True if word.lower() in _TRUE else False if word.lower() in _FALSE else None


def _whole(low: int, high: int) -> Callable[[str], int | None]:
    def read(word: str) -> int | None:
        # No underscores, no leading zeros (octal?), no 5:30 (sexagesimal): what YAML 1.1 might take them for.
        return int(word) if re.fullmatch(r"0|-?[1-9][0-9]{0,14}", word) and low <= int(word) <= high else None

    return read


def _number(low: float, high: float) -> Callable[[str], float | None]:
    def read(word: str) -> float | None:
        return float(word) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", word) and low <= float(word) <= high else None

    return read


Flag = Annotated[bool, Reader("yes or no", _flag, {"type": "boolean"})]


def whole(low: int, high: int = LARGEST) -> Reader[int]:
    """Whole numbers from low to high, both included."""
    expected = f"a whole number from {low} to {high}" if high < LARGEST else f"a whole number, at least {low}"
    limits = {"minimum": low, **({"maximum": high} if high < LARGEST else {})}
    return Reader(expected, _whole(low, high), {"type": "integer", **limits})


def number(low: float, high: float = LARGEST, unit: str = "") -> Reader[float]:
    """Numbers from low to high, both included."""
    expected = f"a number{unit} from {low:g} to {high:g}" if high < LARGEST else f"a number{unit}, at least {low:g}"
    limits = {"minimum": low, **({"maximum": high} if high < LARGEST else {})}
    return Reader(expected, _number(low, high), {"type": "number", **limits})


def seconds(low: float = 0, high: float = LARGEST) -> Reader[float]:
    """Durations in seconds."""
    return number(low, high, " of seconds")


@dataclass(frozen=True)
class choice:
    """The words of the Literal that it annotates; where one of them means nothing, no, off and false mean it too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._reader(get_args(source)).take, metadata={
            "pydantic_js_functions": [lambda _schema, _handler: self._reader(get_args(source)).schema]
        })  # fmt: skip

    @staticmethod
    def _reader(words: tuple[str, ...]) -> Reader[str]:
        nothing = next((word for word in words if word in ("none", "off")), None)

        def read(word: str) -> str | None:
            low = word.lower()
            return low if low in words else nothing if low in {*_FALSE, "none"} else None

        schema = {"enum": [*words, False] if nothing else list(words)}
        return Reader(f"one of {', '.join(words)}", read, schema)


class _List:
    """A list, of which a single value is one too."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_list, handler(source))

    @staticmethod
    def _as_list(value: object) -> object:
        if isinstance(value, Mapping):
            raise ValueError("expected a value or a list of values, not a block with keys")
        return value if isinstance(value, list | tuple) else [value]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(schema)
        return {"anyOf": [dict(listed["items"]), listed]}


LIST = _List()
