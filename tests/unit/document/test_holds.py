"""What threads hold back of a document's changes, and what is left to be sent of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from bokeh.document import Document
from bokeh.document.events import (
    ColumnDataChangedEvent,
    ColumnsPatchedEvent,
    ColumnsStreamedEvent,
    DocumentPatchedEvent,
    ModelChangedEvent,
    TitleChangedEvent,
)
from bokeh.models import ColumnDataSource

from app_server.document.holds import Holds, without_repetition

T = TypeVar("T")


def isolated(work: Callable[[], T]) -> T:
    """What the function returns in a thread of its own."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def holds() -> Holds:
    return Holds()


def test_nothing_is_held_at_first(holds: Holds) -> None:
    assert not holds.any and holds.mine().policy is None
    assert holds.take() == []


def test_hold_is_a_threads_own(holds: Holds) -> None:
    holds.set("combine")
    assert holds.any and holds.mine().policy == "combine"
    assert isolated(lambda: holds.mine().policy) is None
    assert isolated(lambda: holds.mine()) is not holds.mine()


def test_end_gives_what_was_held_once(holds: Holds) -> None:
    holds.set("collect")
    holds.mine().events.append("change")
    (ended,) = holds.take()
    assert (ended.policy, ended.events) == (None, ["change"])
    assert not holds.any and holds.mine().events == []
    assert holds.take() == []


def test_what_is_held_after_the_end_is_not_in_what_ended(holds: Holds) -> None:
    holds.set("collect")
    mine = holds.mine()
    mine.events.append("first")
    (ended,) = holds.take()
    mine.events.append("second")
    assert ended.events == ["first"]


def test_thread_that_holds_ends_only_its_own_hold(holds: Holds) -> None:
    holds.set("collect")
    holds.mine().events.append("here")

    def there() -> list[list[Any]]:
        holds.set("collect")
        holds.mine().events.append("there")
        return [hold.events for hold in holds.take()]

    assert isolated(there) == [["there"]]
    assert holds.any and holds.mine().events == ["here"]


def test_thread_without_a_hold_ends_those_of_all_others(holds: Holds) -> None:
    holds.set("collect")
    holds.mine().events.append("here")
    assert isolated(lambda: [hold.events for hold in holds.take()]) == [["here"]]
    assert not holds.any and holds.mine().policy is None


def test_hold_that_is_put_off_by_its_policy_is_none(holds: Holds) -> None:
    holds.set("collect")
    holds.set("combine")
    holds.set(None)
    assert not holds.any
    holds.set(None)
    assert not holds.any


DOCUMENT, SOURCE, OTHER = Document(), ColumnDataSource({"x": [1]}), ColumnDataSource({"x": [1]})


def columns(source: ColumnDataSource = SOURCE) -> DocumentPatchedEvent:
    return ColumnDataChangedEvent(DOCUMENT, source, "data", None, ["x"])


def stream(source: ColumnDataSource = SOURCE) -> DocumentPatchedEvent:
    return ColumnsStreamedEvent(DOCUMENT, source, "data", {"x": [2]}, None)


def patch(source: ColumnDataSource = SOURCE) -> DocumentPatchedEvent:
    return ColumnsPatchedEvent(DOCUMENT, source, "data", {"x": [(0, 2)]})


def kinds(*events: DocumentPatchedEvent) -> list[str]:
    return [event.kind for event in without_repetition(list(events))]


def test_what_comes_before_whole_columns_is_sent() -> None:
    assert kinds(stream(), patch(), columns()) == ["ColumnsStreamed", "ColumnsPatched", "ColumnDataChanged"]


@pytest.mark.parametrize("whole", [columns, lambda: ModelChangedEvent(DOCUMENT, SOURCE, "data", {"x": [1]})])
def test_stream_and_patch_after_whole_columns_are_not_sent_again(whole: Callable[[], DocumentPatchedEvent]) -> None:
    assert kinds(whole(), stream(), patch())[1:] == ["Repeated", "Repeated"]


def test_columns_that_have_what_followed_are_sent_as_a_whole() -> None:
    first = columns()
    assert first.cols == ["x"]  # type: ignore[attr-defined]
    without_repetition([first, stream()])
    assert first.cols is None  # type: ignore[attr-defined]
    alone = columns()
    without_repetition([alone, stream(OTHER)])
    assert alone.cols == ["x"]  # type: ignore[attr-defined]


def test_other_sources_properties_and_events_are_not_touched() -> None:
    named = ModelChangedEvent(DOCUMENT, SOURCE, "name", "n")
    title = TitleChangedEvent(DOCUMENT, "t")
    events = [named, title, stream(), columns(OTHER), stream()]
    assert without_repetition(events) == events


def test_callbacks_get_a_stream_that_is_not_sent_again() -> None:
    called: list[str] = []
    event = ColumnsStreamedEvent(DOCUMENT, SOURCE, "data", {"x": [2]}, None, "me", lambda: called.append("called"))
    _, repeated = without_repetition([columns(), event])
    assert repeated.setter == "me" and repeated.callback_invoker is not None
    repeated.callback_invoker()
    assert called == ["called"]
