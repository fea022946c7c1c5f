"""What is noted of a session, and how a callback is named."""

from __future__ import annotations

from functools import partial, wraps
from typing import Any

from app_server.observe.session_record import SessionRecord, place_of, short_place


def update(attr: str = "", old: object = None, new: object = None) -> None: ...


LINE = update.__code__.co_firstlineno


class Handler:
    def changed(self) -> None: ...

    def __call__(self) -> None: ...


def test_messages_and_their_round_trips_are_noted() -> None:
    record = SessionRecord()
    assert (record.messages, record.last_s) == (0, None)
    record.heard(10.0, 10.002)
    record.heard(11.0, 11.3)
    assert (record.messages, record.last_s) == (2, 11.0)


def test_callback_is_named_by_its_file_and_line() -> None:
    assert place_of(update) == f"{__file__}:{LINE} update"
    assert place_of(partial(partial(update, "value"), 1)) == f"{__file__}:{LINE} update"


def test_decorated_callback_is_named_itself() -> None:
    @wraps(update)
    def wrapper(*arguments: Any) -> None: ...

    assert place_of(wrapper) == f"{__file__}:{LINE} update"


def test_methods_and_objects_that_can_be_called_are_named_too() -> None:
    handler = Handler()
    assert place_of(handler.changed).endswith("Handler.changed")
    assert place_of(handler).endswith("Handler.__call__")
    assert ":" in place_of(handler)


def test_builtin_has_a_name_only() -> None:
    assert place_of(print) == "print"


def test_short_place_has_the_end_of_the_path() -> None:
    assert short_place("/srv/apps/sales/main.py:12 update") == "sales/main.py:12 update"
    assert short_place("") == ""
