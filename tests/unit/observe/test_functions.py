"""Which function is behind a callback."""

from __future__ import annotations

from functools import partial, wraps
from typing import Any

from app_server.observe.functions import function_behind, name_and_code


def plain() -> None: ...


class Proxy:
    """Has whatever it is asked for, as proxies of other objects do."""

    def __getattr__(self, name: str) -> Any:
        return Proxy()


def test_layers_are_taken_off_in_any_order() -> None:
    @wraps(partial(plain))
    def around() -> None: ...

    assert function_behind(partial(around)) is plain


def test_decorator_that_wraps_itself_ends_the_search() -> None:
    def around() -> None: ...

    around.__wrapped__ = around  # type: ignore[attr-defined]
    assert function_behind(around) is around


def test_proxy_without_an_end_has_a_name_and_no_code() -> None:
    name, code = name_and_code(Proxy())
    assert name and code is None
