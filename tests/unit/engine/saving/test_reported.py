"""What users of other servers and libraries have reported as lost or wrong in a restored session is right here."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest
from bokeh.models import (
    Button,
    ColorPicker,
    Column,
    ColumnDataSource,
    DataTable,
    DateRangeSlider,
    DateSlider,
    Div,
    FileInput,
    RangeSlider,
    Select,
    Slider,
    TabPanel,
    Tabs,
    Toggle,
)

from app_server.protocol import messages
from tests.unit.engine.saving.making import Client, Process, differences, model, shown, turn

Play: TypeAlias = Callable[[Process, Client], None]
CITIES = {"Chile": ["Arica", "Lota"], "Peru": ["Lima", "Cusco"]}


def nothing(process: Process, client: Client) -> None:
    """Do nothing."""


def restored(
    folder: Path, build: Callable[[Any], object], play: Play, look: Callable[[Any], object], then: Play = nothing
) -> tuple[object, object, object]:
    """What `look` finds in a session when it is killed, when it was restored, and after what is done `then`."""

    def same(after: Any, before: Any) -> None:
        assert differences(after, before) == []

    return played(folder, build, play, look, then, same)


def played(
    folder: Path, build: Callable[[Any], object], play: Play, look: Callable[[Any], object], then: Play,
    compare: Callable[[Any, Any], None] = lambda after, before: None,
) -> tuple[object, object, object]:  # fmt: skip
    """The same for a document in which models have other ids afterwards: callbacks have made them anew."""

    async def live() -> tuple[object, object, object]:
        first = Process(folder, build)
        session = await first.session()
        play(first, first.view(session))
        await first.save()
        before, found = shown(session), look(session)
        await first.kill()
        second = Process(folder, build)
        again = await second.session()
        assert second.gauges.restored == 1
        compare(shown(again), before)
        after = look(again)
        then(second, second.view(again))
        await second.save()
        last = look(again)
        await second.kill()
        return found, after, last

    return asyncio.run(live())


def click(client: Client, name: str) -> None:
    """Click a button."""
    entries = [["model", {"id": model(client.session, name).id}]]
    event = {"type": "event", "name": "button_click", "values": {"type": "map", "entries": entries}}
    client.send(messages.PATCH_DOC, {"events": [{"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event}]})


def choose(*choices: tuple[str, str]) -> Play:
    """Choose these values in these lists; a name without a value is a button to click."""

    def play(process: Process, client: Client) -> None:
        for name, value in choices:
            if value:
                client.set(model(client.session, name), "value", value)
            else:
                click(client, name)

    return play


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(choose(("country", "Peru"), ("city", "Cusco")), id="one after the other"),
        pytest.param(choose(("city", "Lota"), ("country", "Peru"), ("city", "Cusco")), id="to and fro"),
        pytest.param(choose(("peru", ""), ("city", "Cusco")), id="after a callback"),
        pytest.param(choose(("city", "Lota"), ("peru", "")), id="before a callback"),
    ],
)
def test_inputs_that_decide_on_others_are_given_before_them(
    tmp_path: Path, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    places: list[list[str]] = []

    def build(document: Any) -> None:
        country = Select(options=list(CITIES), value="Chile", name="country")
        city = Select(options=CITIES["Chile"], value="Arica", name="city")
        peru, place = Button(name="peru"), ["Chile", "Arica"]
        places.append(place)

        def chosen(attr: str, old: str, new: str) -> None:
            city.options = CITIES[new]
            city.value = CITIES[new][0]

        def moved(attr: str, old: str, new: str) -> None:
            place[:] = country.value, new
            assert new in CITIES[country.value]

        country.on_change("value", chosen)
        city.on_change("value", moved)
        peru.on_click(lambda: setattr(country, "value", "Peru"))
        document.add_root(Column(country, city, peru))

    before, after, last = restored(
        tmp_path, build, play, lambda session: list(places[-1]), choose(("country", "Chile"), ("city", "Lota"))
    )
    assert after == before and before[0] == "Peru"
    assert last == ["Chile", "Lota"]
    assert caplog.text == ""


def test_what_only_browsers_set_is_there_again(tmp_path: Path) -> None:
    """An uploaded file, and where a slider was let go: bokeh sends neither to a page."""
    seen: list[list[Any]] = []

    def build(document: Any) -> None:
        slider, upload = Slider(start=0, end=9, value=1, name="slider"), FileInput(name="upload")
        calls: list[Any] = []
        seen.append(calls)
        slider.on_change("value_throttled", lambda attr, old, new: calls.append(new))
        upload.on_change("filename", lambda attr, old, new: calls.append((new, upload.value)))
        document.add_root(Column(slider, upload, FileInput(name="none yet")))

    def play(process: Process, client: Client) -> None:
        for attr in ("value", "value_throttled"):
            client.set(model(client.session, "slider"), attr, 7)
        for attr, value in (("value", "aGVsbG8="), ("mime_type", "text/plain"), ("filename", "hello.txt")):
            client.set(model(client.session, "upload"), attr, value)

    def look(session: Any) -> Any:
        slider, upload = model(session, "slider"), model(session, "upload")
        return slider.value_throttled, upload.value, upload.mime_type, upload.filename, list(seen[-1])

    before, after, _ = restored(tmp_path, build, play, look)
    assert before == after == (7, "aGVsbG8=", "text/plain", "hello.txt", [7, ("hello.txt", "aGVsbG8=")])


def test_values_have_the_types_again_that_python_gave_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Applications compare dates in their data with those of their widgets, and reckon with large numbers."""
    day = dt.date(2024, 1, 1)
    days = pd.date_range(day, periods=3)

    def build(document: Any) -> None:
        columns = {
            "day": days.to_numpy(), "count": np.array([1, 2, 3]), "name": ["a", "b", "c"], "series": pd.Series(days),
            "away": days.to_numpy() - days.to_numpy()[0], "date": [day] * 3, "at": [dt.datetime(2024, 1, 1, 12)] * 3,
        }  # fmt: skip
        inputs = [
            DateSlider(start=day, end=dt.date(2024, 12, 31), value=day, name="from"),
            DateRangeSlider(start=day, end=dt.date(2024, 12, 31), value=(day, dt.date(2024, 2, 1)), name="range"),
            RangeSlider(start=0, end=9, value=(1, 2), name="numbers"),
            Slider(start=0, end=9, value=1, name="slider"),
        ]
        document.add_root(Column(*inputs))
        document.add_root(DataTable(source=ColumnDataSource(columns, name="built")))
        document.add_root(DataTable(source=ColumnDataSource(columns, name="streamed")))

    def play(process: Process, client: Client) -> None:
        client.set(model(client.session, "slider"), "value", 2)
        turn(process, client.session, lambda: changes(client.session))

    def changes(session: Any) -> None:
        model(session, "from").value = dt.date(2024, 3, 1)
        more = {"day": days.to_numpy()[:1], "count": np.array([4]), "name": ["d"], "series": days.to_numpy()[1:2],
                "away": np.array([1], "timedelta64[D]"), "date": [day], "at": [dt.datetime(2024, 1, 2)]}  # fmt: skip
        model(session, "streamed").stream(more, rollover=3)

    before, after, _ = restored(tmp_path, build, play, _typed)
    assert after == before
    assert caplog.text == ""


def _typed(session: Any) -> Any:
    values = {name: model(session, name).value for name in ("from", "range", "numbers")}
    built, streamed = model(session, "built").data, model(session, "streamed").data
    return {**values, "built": _columns(built), "streamed": _columns(streamed)}


def _columns(data: Any) -> Any:
    return {name: (type(column), getattr(column, "dtype", None), list(column)) for name, column in data.items()}


def test_what_the_application_sets_in_the_place_of_people_is_given_too(tmp_path: Path) -> None:
    """A button opens a tab, selects rows, chooses a color and starts a timer: their callbacks have built on that."""
    seen: list[list[Any]] = []

    def build(document: Any) -> None:
        tabs = Tabs(tabs=[TabPanel(title=title, child=Div(text=title)) for title in "ab"])
        color, runs, button = ColorPicker(color="#000000"), Toggle(name="runs"), Button(name="next")
        source, calls, timers = ColumnDataSource({"x": [1, 2]}), list[Any](), list[Any]()
        seen.append(calls)

        def turned(attr: str, old: bool, new: bool) -> None:
            if new:
                timers.append(document.add_periodic_callback(lambda: None, 100_000))
            else:
                document.remove_periodic_callback(timers.pop())

        def step() -> None:
            tabs.active, color.color, source.selected.indices, runs.active = 1, "#ffffff", [1], True

        runs.on_change("active", turned)
        for each, attr in ((tabs, "active"), (color, "color"), (source.selected, "indices")):
            each.on_change(attr, lambda attr, old, new: calls.append((attr, new)))
        button.on_click(step)
        document.add_root(Column(tabs, color, runs, button, DataTable(source=source)))

    def look(session: Any) -> Any:
        return list(seen[-1]), len(session.document.session_callbacks)

    before, after, last = restored(
        tmp_path, build, lambda process, client: click(client, "next"), look,
        lambda process, client: client.set(model(client.session, "runs"), "active", False),
    )  # fmt: skip
    calls = [("active", 1), ("color", "#ffffff"), ("indices", [1])]
    assert before == after == (calls, 1)
    assert last == (calls, 0)


def test_what_callbacks_leave_for_the_next_tick_is_done_before_the_next_input(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    places: list[list[str]] = []

    def build(document: Any) -> None:
        country = Select(options=list(CITIES), value="Chile", name="country")
        city = Select(options=CITIES["Chile"], value="Arica", name="city")
        places.append([])

        def chosen(attr: str, old: str, new: str) -> None:
            city.disabled = True
            document.add_next_tick_callback(lambda: offer(new))
            document.add_next_tick_callback(lambda: setattr(city, "disabled", False))

        def offer(name: str) -> None:
            assert city.disabled
            city.options = CITIES[name]
            city.value = CITIES[name][0]

        country.on_change("value", chosen)
        city.on_change("value", lambda attr, old, new: places[-1].append(f"{country.value} {new}"))
        document.add_root(Column(country, city))

    async def live() -> None:
        first = Process(tmp_path, build)
        session = await first.session()
        client = first.view(session)
        client.set(model(session, "country"), "value", "Peru")
        await rest(session)
        client.set(model(session, "city"), "value", "Cusco")
        await first.save()
        before = shown(session)
        await first.kill()
        second = Process(tmp_path, build)
        again = await second.session()
        await rest(again)
        assert places[0] == places[1] == ["Peru Lima", "Peru Cusco"]
        assert differences(shown(again), before) == []
        await second.kill()

    async def rest(session: Any) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        assert session.document.session_callbacks == []

    asyncio.run(live())
    assert caplog.text == ""


def test_page_that_a_callback_has_built_in_the_place_of_another_goes_on(tmp_path: Path) -> None:
    seen: list[list[tuple[str, int]]] = []

    def build(document: Any) -> None:
        pages = Select(options=["one", "two"], value="one", name="pages")
        calls: list[tuple[str, int]] = []
        seen.append(calls)

        def show(page: str) -> None:
            slider = Slider(start=0, end=9, value=0, name="slider")
            slider.on_change("value", lambda attr, old, new: calls.append((page, new)))
            document.clear()
            document.title = page
            for root in (pages, Column(slider, Div(text=page))):
                document.add_root(root)

        pages.on_change("value", lambda attr, old, new: show(new))
        show("one")

    def move(value: int) -> Play:
        def play(process: Process, client: Client) -> None:
            turn(process, client.session, lambda: client.set(model(client.session, "slider"), "value", value))

        return play

    def play(process: Process, client: Client) -> None:
        client.set(model(client.session, "pages"), "value", "two")
        move(5)(process, client)

    def look(session: Any) -> Any:
        return session.document.title, [*seen[-1]], model(session, "slider").value

    _, after, last = played(tmp_path, build, play, look, move(6))
    assert after == ("two", [("two", 5)], 5)
    assert last == ("two", [("two", 5), ("two", 6)], 6)
