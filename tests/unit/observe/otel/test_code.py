"""Where the code of a function is."""

from __future__ import annotations

from functools import partial, wraps
from typing import Any

from app_server.observe.otel.code import code_of


def plain() -> None: ...


class Kind:
    def method(self) -> None: ...

    def __call__(self) -> None: ...


def test_function_method_and_what_is_around_them() -> None:
    @wraps(plain)
    def around(*arguments: Any) -> None: ...

    expected = {
        "code.function.name": "plain",
        "code.file.path": __file__,
        "code.line.number": plain.__code__.co_firstlineno,
    }
    assert code_of(plain) == code_of(around) == code_of(partial(partial(around), 1)) == expected
    assert code_of(Kind().method)["code.function.name"] == "Kind.method"


def test_object_that_can_be_called_is_its_method() -> None:
    assert code_of(Kind()) == code_of(Kind.__call__)


def test_what_has_no_code_has_a_name_at_most() -> None:
    assert code_of(None) == {}
    assert code_of(print) == {"code.function.name": "print"}
