"""Changes are made one at a time, and whole or not at all: what a page cannot be sent, the session does not have."""

from __future__ import annotations

import decimal
import math
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.core.serialization import SerializationError
from bokeh.models import ColumnDataSource, Div, MultiChoice, Slider

from app_server.document import engine
from app_server.document.callbacks import UnsendableError
from app_server.document.changes import as_rollover
from app_server.session.connection import Connection
from app_server.session.session import Session
from tests.unit.session.making import make_session, message, plain, subscriber

engine.install()

BAD = decimal.Decimal


def model(session: Session, name: str) -> Any:
    found = session.document.get_model_by_name(name)
    assert found is not None
    return found


class Page:
    """What a browser would have: the properties and columns as the messages for one client say."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.values: dict[tuple[str, str], Any] = {}
        self.columns: dict[str, list[Any]] = {}
        connection = Connection(1)
        session.join(connection)
        [(_, reply)] = plain(session.receive(connection, message("PULL-DOC-REQ")))
        for root in reply["content"]["doc"]["roots"]:
            for name, column in root["attributes"].get("data", {}).get("entries", ()):
                # An array of the first pull is in a buffer; no test changes one meanwhile.
                self.columns[name] = list(column if isinstance(column, list) else self.source.data[name])

    @property
    def source(self) -> Any:
        return model(self.session, "source")

    def take(self, effects: list[Any]) -> int:
        """Apply what was sent; how many events there were."""
        events = [event for _, sent in plain(effects) for event in sent["content"]["events"]]
        for event in events:
            self._apply(event)
        return len(events)

    def _apply(self, event: dict[str, Any]) -> None:
        if event["kind"] == "ModelChanged":
            if event["attr"] == "data":
                self.columns = {name: list(column) for name, column in event["new"]["entries"]}
            self.values[event["model"]["id"], event["attr"]] = event["new"]
        elif event["kind"] == "ColumnsStreamed":
            for name, rows in event["data"]["entries"]:
                self.columns[name].extend(rows)
            if event["rollover"] is not None:
                self.columns = {name: column[-event["rollover"] :] for name, column in self.columns.items()}
        elif event["kind"] == "ColumnsPatched":
            for name, patches in event["patches"]["entries"]:
                for index, value in patches:
                    self.columns[name][index] = value
        elif event["kind"] == "ColumnDataChanged":
            self.columns |= {name: list(column) for name, column in event["data"]["entries"]}

    def assert_columns_agree(self) -> None:
        assert self.columns == {name: list(column) for name, column in self.source.data.items()}


def fill(document: Any) -> None:
    document.add_root(Slider(name="slider", start=0, end=1000, value=1))
    document.add_root(Div(name="div", text="first", tags=["kept"]))
    document.add_root(ColumnDataSource({"x": [1, 2], "y": [3, 4]}, name="source"))
    document.add_root(MultiChoice(name="choice", value=["a"], options=["a", "b"]))


@pytest.fixture
def page() -> Page:
    return Page(make_session(build=fill))


@pytest.mark.parametrize(
    ("given", "rows"),
    [(None, None), (0, 0), (3, 3), (np.int64(3), 3), (np.uint8(3), 3), (True, 1), (4.0, 4), (np.float32(4), 4),
     (math.inf, None), (np.inf, None)],
)  # fmt: skip
def test_rollover_is_a_number_of_rows_whatever_type_it_has(given: Any, rows: int | None) -> None:
    found = as_rollover(given)
    assert found == rows and (found is None or type(found) is int)


@pytest.mark.parametrize(
    "nonsense", [1.5, math.nan, "3", np.bool_(True), np.array([1, 2]), -1, np.int64(-1), -math.inf]
)
def test_rollover_that_is_no_number_of_rows_changes_nothing(page: Page, nonsense: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="rollover"):
        page.source.stream({"x": [3], "y": [5]}, rollover=nonsense)
    assert page.take(page.session.flush()) == 0
    page.assert_columns_agree()


@pytest.mark.parametrize("rollover", [np.int64(2), 2.0, None, math.inf, 100])
def test_streams_agree_with_the_session_for_every_rollover(page: Page, rollover: Any) -> None:
    for number in range(5):
        page.source.stream({"x": [number], "y": [number]}, rollover=rollover)
    assert page.take(page.session.flush()) == 5
    page.assert_columns_agree()


CHANGES: dict[str, Callable[[Page], object]] = {
    "a property": lambda page: setattr(model(page.session, "div"), "tags", [BAD(1)]),
    "an item added": lambda page: model(page.session, "div").tags.append(BAD(1)),
    "an item set": lambda page: model(page.session, "div").tags.__setitem__(0, {1: {BAD(1)}}),
    "items extended": lambda page: model(page.session, "div").tags.extend([1, object()]),
    "an item of another type": lambda page: model(page.session, "choice").value.append(5),
    "a nested value": lambda page: setattr(model(page.session, "div"), "tags", [{"a": [1, {"b": BAD(1)}]}]),
    "a model with such a value": lambda page: setattr(model(page.session, "div"), "tags", [Div(tags=[BAD(1)])]),
    "a column": lambda page: page.source.data.__setitem__("x", [BAD(1), 2]),
    "columns updated": lambda page: page.source.data.update(x=[BAD(1), 2], y=[1, 2]),
    "all columns": lambda page: setattr(page.source, "data", {"x": [BAD(1)], "y": [1]}),
    "a stream": lambda page: page.source.stream({"x": [3], "y": [BAD(1)]}),
    "a stream of objects": lambda page: page.source.stream({"x": [3], "y": np.array([object()])}),
    "a patch": lambda page: page.source.patch({"x": [(0, 9)], "y": [(0, BAD(1))]}),
    "a root": lambda page: page.session.document.add_root(Div(tags=[BAD(1)], name="refused")),
    "the title": lambda page: page.session.document.set_title(BAD(1)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_cannot_be_sent_changes_nothing_and_later_changes_are_sent(
    page: Page, change: Callable[[Page], object]
) -> None:
    document, div = page.session.document, model(page.session, "div")
    models = set(document.models)
    with pytest.raises((SerializationError, ValueError)):
        change(page)
    assert page.take(page.session.flush()) == 0
    assert (div.tags, model(page.session, "choice").value, document.title) == (["kept"], ["a"], "Bokeh Application")
    assert set(document.models) == models and len(document.roots) == 4
    page.assert_columns_agree()
    assert page.source.data == {"x": [1, 2], "y": [3, 4]}
    # What comes after it is sent as ever.
    div.tags.append("new")
    model(page.session, "choice").value.append("b")
    page.source.stream({"x": [3], "y": [5]})
    document.title = "new"
    assert page.take(page.session.flush()) == 4
    assert page.values[div.id, "tags"] == ["kept", "new"]
    page.assert_columns_agree()


def test_error_names_the_property(page: Page) -> None:
    with pytest.raises(UnsendableError) as raised:
        model(page.session, "div").tags = [BAD(1)]
    assert str(raised.value) == (
        "Div.tags (name 'div') was not changed: its new value cannot be sent to the browser, "
        "can't serialize <class 'decimal.Decimal'>"
    )


@pytest.mark.parametrize(
    "column",
    [
        [np.float32(1), np.int64(2)], [math.nan, math.inf], [np.datetime64("2024-01-01")], [pd.Timestamp("2024-01-01")],
        [pd.NA, 1], [b"bytes"], [{1, 2}], pd.Series([1, 2]), np.array(["a", "b"]), [2**70], [slice(np.int64(1), None)],
        pd.Series([1, None], dtype="Int64"), [pd.Timedelta(1, "s")], [range(3)],
    ],
    ids=repr,
)  # fmt: skip
def test_odd_values_are_sent_or_refused(page: Page, column: Any) -> None:
    before = dict(page.source.data)
    rows = {"x": column, "y": [0] * len(column)}
    try:
        page.source.stream(rows)
    except (SerializationError, ValueError):
        assert (page.session.flush(), dict(page.source.data)) == ([], before)
    else:
        [(_, sent)] = plain(page.session.flush())
        assert [event["kind"] for event in sent["content"]["events"]] == ["ColumnsStreamed"]


@pytest.mark.parametrize(
    "patches",
    [
        {"x": [(0, 9), (2, 9)]},  # bokeh's own check lets an index just behind the end pass
        {"x": [(0, 9)], "y": [(2, 9)]},
    ],
)
def test_page_gets_the_columns_where_a_patch_was_carried_out_in_part(page: Page, patches: Any) -> None:
    with pytest.raises(IndexError):
        page.source.patch(patches)
    page.take(page.session.flush())
    assert page.source.data["x"][0] == 9
    page.assert_columns_agree()


@pytest.mark.filterwarnings("ignore:attempted to patch")
def test_page_does_not_get_a_patch_of_a_column_that_cannot_change(page: Page) -> None:
    page.source.data = {"x": (1, 2), "y": [3, 4]}
    page.source.patch({"x": [(0, 9)], "y": [(0, 9)]})
    page.take(page.session.flush())
    page.assert_columns_agree()
    assert page.columns == {"x": [1, 2], "y": [9, 4]}


def test_callback_that_raises_does_not_take_its_change_back(page: Page) -> None:
    def raises(attr: str, old: object, new: object) -> None:
        raise ValueError("a fault of the application")

    div = model(page.session, "div")
    div.on_change("tags", raises)
    for change in (lambda: setattr(div, "tags", ["set"]), lambda: div.tags.append("added")):
        with pytest.raises(ValueError, match="of the application"):
            change()
    assert page.take(page.session.flush()) == 2
    assert div.tags == page.values[div.id, "tags"] == ["set", "added"]


def test_held_change_that_cannot_be_sent_keeps_no_other_one_back(page: Page) -> None:
    document, div = page.session.document, model(page.session, "div")
    document.hold("collect")
    div.tags.append(BAD(1))
    div.text = "second"
    assert page.take(page.session.flush()) == 0
    with pytest.raises(UnsendableError, match="Div.tags"):
        document.unhold()
    assert page.take(page.session.flush()) == 1
    assert (div.tags, page.values[div.id, "text"]) == (["kept"], "second")


def test_another_documents_root_is_not_taken_from_it(page: Page) -> None:
    other = make_session("another")
    div = model(other, "div")
    with pytest.raises(RuntimeError, match="another document"):
        page.session.document.add_root(div)
    with pytest.raises(RuntimeError, match="another document"):
        model(page.session, "div").tags = [div]
    assert div.document is other.document
    assert (page.session.flush(), model(page.session, "div").tags) == ([], ["kept"])


def in_threads(*functions: Callable[[], object]) -> None:
    """Run all of them at once, and raise what one of them raises."""
    failures: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for failure in failures:
        raise failure


@pytest.mark.parametrize("numpy", [False, True])
@pytest.mark.parametrize("in_turns", [False, True])
def test_changes_of_threads_are_all_sent_once_and_end_as_in_the_session(numpy: bool, in_turns: bool) -> None:
    session = make_session(build=fill)
    if numpy:
        model(session, "source").data = {"x": np.array([-1]), "y": np.array([-1])}
    page, rounds, threads = Page(session), 150, 4
    first = list(page.columns["x"])
    received: list[int] = []
    # Bokeh's index of models by name is not for threads: it is empty while a change of references makes it new.
    slider, div = model(session, "slider"), model(session, "div")

    def change(thread: int) -> None:
        for number in range(rounds):
            unique = 1000 + thread * rounds + number
            session.document.title = f"title {unique}"
            slider.value = number
            div.tags.append(unique)
            div.tags = [*div.tags[-3:], "set"]
            page.source.stream({"x": [unique], "y": [thread]})

    def take_turns() -> None:
        while in_turns and len(received) < threads * rounds * 4:
            received.extend([0] * page.take(session.turn(lambda: None, "a callback")))

    in_threads(take_turns, *(partial(change, thread) for thread in range(threads)))
    page.take(session.flush())
    assert sorted(map(int, page.columns["x"])) == sorted([*first, *range(1000, 1000 + threads * rounds)])
    page.assert_columns_agree()
    assert (page.values[slider.id, "value"], page.values[div.id, "tags"]) == (slider.value, div.tags)


def test_page_that_comes_while_threads_stream_gets_each_row_once() -> None:
    session = make_session(build=fill)
    source, pages = model(session, "source"), list[Page]()

    def stream() -> None:
        for number in range(300):
            source.stream({"x": [number], "y": [number]})

    def come() -> None:
        while len(source.data["x"]) < 100:
            pass
        pages.append(Page(session))

    in_threads(stream, stream, come)
    [page] = pages
    page.take(session.flush())
    assert sorted(page.columns["x"]) == sorted([1, 2, *range(300), *range(300)])
    page.assert_columns_agree()


def test_callbacks_run_while_other_threads_may_change_the_document() -> None:
    session = make_session(build=fill)
    subscriber(session)
    div = model(session, "div")

    def waits_for_a_thread(attr: str, old: object, new: object) -> None:
        in_threads(lambda: setattr(div, "text", "from a thread"))

    model(session, "slider").on_change("value", waits_for_a_thread)
    session.turn(lambda: setattr(model(session, "slider"), "value", 5), "a callback")
    assert div.text == "from a thread"


def test_callback_in_a_thread_has_the_document_as_its_current_one(page: Page) -> None:
    from bokeh.io import curdoc

    seen: list[object] = []
    model(page.session, "div").on_change("text", lambda attr, old, new: seen.append(curdoc()))
    page.session.turn(lambda: in_threads(lambda: setattr(model(page.session, "div"), "text", "new")), "a callback")
    assert seen == [page.session.document]


def test_hold_of_one_thread_holds_nothing_of_another_back(page: Page) -> None:
    document = page.session.document
    document.hold("combine")
    model(page.session, "div").text = "held"
    in_threads(lambda: setattr(model(page.session, "slider"), "value", 7))
    assert page.take(page.session.flush()) == 1
    document.unhold()
    assert page.take(page.session.flush()) == 1


def test_callback_that_is_added_during_a_hold_hears_of_what_was_held(page: Page) -> None:
    document, heard = page.session.document, list[object]()
    div = model(page.session, "div")
    document.hold("collect")
    div.text = "held"
    div.on_change("text", lambda attr, old, new: heard.append(new))
    document.unhold()
    assert heard == ["held"]


def test_hold_may_end_in_another_thread(page: Page) -> None:
    document = page.session.document

    def hold() -> None:
        document.hold("collect")
        model(page.session, "div").text = "held"

    in_threads(hold)
    assert page.take(page.session.flush()) == 0
    document.unhold()
    assert page.take(page.session.flush()) == 1


@pytest.mark.parametrize("policy", ["combine", "collect"])
@pytest.mark.parametrize("before", ["all", "a column", "nothing"])
def test_held_stream_is_sent_once(page: Page, policy: Any, before: str) -> None:
    seen: list[object] = []
    page.session.document.hold(policy)
    if before == "all":
        page.source.data = {"x": [7], "y": [7]}
    elif before == "a column":
        page.source.data["x"] = [8, 8]
    page.source.on_change("data", lambda attr, old, new: seen.append(new))
    page.source.stream({"x": [1], "y": [1]})
    page.source.patch({"x": [(0, 5)]})
    page.source.stream({"x": [2], "y": [2]})
    page.session.document.unhold()
    page.take(page.session.flush())
    page.assert_columns_agree()
    assert len(seen) >= 3
