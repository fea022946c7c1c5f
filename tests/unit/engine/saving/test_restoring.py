"""A session that was killed is restored as it was: for each application that is shipped, whatever was done in it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bokeh.events import ButtonClick
from bokeh.models import (
    Button,
    Column,
    ColumnDataSource,
    CustomJS,
    Div,
    PasswordInput,
    Select,
    Slider,
    Tabs,
    TextInput,
)
from bokeh.plotting import figure

from app_server.apps import load_application
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session
from tests.unit.engine.saving.making import Process, differences, model, shown, turn

REPOSITORY = Path(__file__).parents[4]


def shipped() -> Iterator[Any]:
    """The applications of the examples, the benchmarks and the comparisons with the stock server."""
    for folder in ("examples", "examples/seed", "bench/apps", "tests/peers/apps"):
        for path in sorted((REPOSITORY / folder).iterdir()):
            if path.suffix == ".py" or (path / "main.py").is_file():
                if path.name != "stuck.py":  # it never returns
                    yield pytest.param(path, id=str(path.relative_to(REPOSITORY)))


def play(process: Process, session: Any) -> None:
    """Move every input, stream into every source, change a title: as people and callbacks do."""
    client = process.view(session)
    for found in list(session.document.models):
        if isinstance(found, Slider) and not found.disabled:
            client.set(found, "value", found.end)
        elif isinstance(found, TextInput) and not isinstance(found, PasswordInput):
            client.set(found, "value", "typed")
        elif isinstance(found, Select) and found.options:
            last = found.options[-1] if isinstance(found.options, list) else next(iter(found.options.values()))[-1]
            client.set(found, "value", last if isinstance(last, str) else last[0])
        elif isinstance(found, Tabs) and found.tabs:
            client.set(found, "active", len(found.tabs) - 1)

    def more() -> None:
        for found in list(session.document.models):
            if isinstance(found, ColumnDataSource) and found.data and all(map(len, found.data.values())):
                found.stream({name: list(column)[-1:] for name, column in found.data.items()}, 50)
                found.selected.indices = [0]
            elif isinstance(found, Div):
                found.text += "!"

    turn(process, session, more)


@pytest.mark.parametrize("path", shipped())
def test_document_of_a_killed_session_is_equal_afterwards(tmp_path: Path, path: Path) -> None:
    async def live() -> tuple[Any, Any]:
        first = Process(tmp_path, load_application(str(path), []))
        session = await first.session()
        play(first, session)
        await first.save()
        play(first, session)
        before = await saved_as_shown(first, session)
        await first.kill()
        second = Process(tmp_path, load_application(str(path), []))
        again = await second.session()
        after = shown(again)
        assert second.gauges.restored == 1
        for each in (session, again):
            for callback in each.document.ending_callbacks():
                callback(each.context)
            each.document.destroy()
        await second.kill()
        return before, after

    threads = set(threading.enumerate())
    before, after = asyncio.run(live())
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
    assert differences(_without_modules(after), _without_modules(before)) == []


async def saved_as_shown(process: Process, session: Any) -> Any:
    """What is shown when all of it is saved: threads of the application may go on meanwhile."""
    await process.save()
    while process.saver.due:
        await process.save()
    return shown(session)


def _without_modules(content: Any) -> Any:
    """A script's own classes are of another module in each session."""
    return json.loads(re.sub(r"bokeh_app_[0-9a-f]{32}\.", "", json.dumps(content)))


def counting(document: Any) -> None:
    """What is not in the document: a number that a callback keeps, and a button that shows it."""
    slider, shows, button = Slider(start=0, end=10, value=1, name="slider"), Div(name="div"), Button(name="button")
    text, password = TextInput(name="text"), PasswordInput(name="password")
    kept = [1]

    def moved(attr: str, old: int, new: int) -> None:
        kept[0] = new

    def clicked() -> None:
        shows.text = f"kept {kept[0]}"

    slider.on_change("value", moved)
    button.on_click(clicked)
    document.add_root(Column(children=[slider, shows, button, text, password], name="column"))


def click(process: Process, session: Any, name: str = "button") -> None:
    """Click a button."""
    turn(process, session, lambda: model(session, name)._trigger_event(ButtonClick(model(session, name))))


@pytest.mark.parametrize(("restore", "kept", "value"), [("inputs", 7, 7), ("values", 1, 7), ("off", 1, 1)])
def test_callbacks_work_out_what_the_application_keeps_in_variables(
    tmp_path: Path, restore: Any, kept: int, value: int
) -> None:
    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        first.view(session).set(model(session, "slider"), "value", 7)
        await first.save()
        await first.kill()
        second = Process(tmp_path, counting, restore=restore)
        again = await second.session()
        assert model(again, "slider").value == value
        click(second, again)
        assert model(again, "div").text == f"kept {kept}"
        await second.kill()

    asyncio.run(live())


def test_what_is_typed_into_a_password_input_is_in_no_file(tmp_path: Path) -> None:
    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        client = first.view(session)
        client.set(model(session, "text"), "value", "to be saved")
        client.set(model(session, "password"), "value", "geheim-1")
        await first.save()
        client.set(model(session, "password"), "value", "geheim-2")

        def added() -> None:
            model(session, "column").children.append(PasswordInput(value="geheim-3", name="new"))

        turn(first, session, added)
        await first.save()
        client.set(model(session, "new"), "value_input", "geheim-4")
        await first.save()
        await first.kill()
        (path,) = tmp_path.glob("*.session")
        assert b"to be saved" in path.read_bytes() and b"geheim" not in path.read_bytes()
        second = Process(tmp_path, counting)
        again = await second.session()
        assert model(again, "text").value == "to be saved"
        assert (model(again, "password").value, model(again, "new").value) == ("", "")
        await second.kill()

    asyncio.run(live())


def test_models_that_the_application_excludes_are_in_no_file(tmp_path: Path) -> None:
    def build(document: Any) -> None:
        counting(document)
        document.session_context.exclude_from_store(document.get_model_by_name("text"))

    async def live() -> None:
        first = Process(tmp_path, build)
        session = await first.session()
        client = first.view(session)
        await first.save()
        client.set(model(session, "text"), "value", "secret words")
        client.set(model(session, "slider"), "value", 3)
        await first.save()
        await first.kill()
        (path,) = tmp_path.glob("*.session")
        assert b"secret words" not in path.read_bytes()
        second = Process(tmp_path, build)
        again = await second.session()
        assert (model(again, "text").value, model(again, "slider").value) == ("", 3)
        await second.kill()

    asyncio.run(live())


def test_models_that_callbacks_have_made_come_back(tmp_path: Path) -> None:
    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        first.view(session)

        def add() -> None:
            plot = figure(name="plot")
            plot.line("x", "y", source=ColumnDataSource({"x": [1, 2], "y": [3, 4]}, name="source"))
            plot.js_on_change("width", CustomJS(args={"plot": plot}, code="plot"))
            model(session, "column").children = [*model(session, "column").children, plot]

        turn(first, session, add)
        await first.save()
        turn(first, session, lambda: model(session, "source").stream({"x": [3], "y": [5]}))
        turn(first, session, lambda: model(session, "source").patch({"y": [(0, 9)]}))
        await first.save()
        before = shown(session)
        await first.kill()
        second = Process(tmp_path, counting)
        again = await second.session()
        assert list(model(again, "source").data["y"]) == [9, 4, 5]
        assert differences(shown(again), before) == []
        await second.kill()

    asyncio.run(live())


def test_after_a_release_what_still_fits_is_restored_and_the_rest_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def released(document: Any) -> None:
        """A new widget comes first, so every id is another model's; the text has gone, the title is a new one."""
        document.add_root(Slider(start=0, end=5, value=2, name="new slider", title="New"))
        slider = Slider(start=0, end=10, value=1, name="slider", title="Renamed")
        document.add_root(Column(children=[slider, Div(name="div", text="fresh")], name="column"))

    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        client = first.view(session)
        client.set(model(session, "slider"), "value", 7)
        client.set(model(session, "text"), "value", "typed")
        await first.save()
        await first.kill()
        second = Process(tmp_path, released)
        again = await second.session()
        assert (model(again, "slider").value, model(again, "slider").title) == (7, "Renamed")
        assert (model(again, "new slider").value, model(again, "div").text) == (2, "fresh")
        await second.kill()

    asyncio.run(live())
    assert "TextInput 'text'.value" in caplog.text


def test_a_release_that_builds_the_same_models_shows_its_own_texts(tmp_path: Path) -> None:
    """What people and callbacks have changed is given back, and all else is as the new release builds it."""
    folder = tmp_path / "release"
    folder.mkdir()
    script = folder / "main.py"
    code = (
        "from bokeh.io import curdoc\n"
        "from bokeh.models import Column, Div, Slider\n"
        "column = Column(children=[], name='column')\n"
        "slider = Slider(start=0, end=10, value=1, title='TITLE', name='slider')\n"
        "curdoc().add_root(Column(children=[slider, column], name='outer'))\n"
    )

    async def live() -> None:
        script.write_text(code)
        first = Process(tmp_path / "store", load_application(str(folder), []))
        session = await first.session()
        first.view(session).set(model(session, "slider"), "value", 7)
        turn(first, session, lambda: model(session, "column").children.append(Div(text="made", name="made")))
        await first.save()
        await first.kill()
        script.write_text(code.replace("TITLE", "New title"))
        second = Process(tmp_path / "store", load_application(str(folder), []))
        again = await second.session()
        slider = model(again, "slider")
        assert (slider.title, slider.value) == ("New title", 7)
        assert [child.text for child in model(again, "column").children] == ["made"]
        await second.kill()

    asyncio.run(live())


def test_callbacks_that_cannot_come_back_are_logged_once_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        first.view(session)

        def add() -> None:
            button = Button(name="later")
            button.on_click(lambda: None)
            model(session, "column").children.append(button)

        turn(first, session, add)
        await first.save()
        await first.kill()
        second = Process(tmp_path, counting)
        assert model(await second.session(), "later").name == "later"
        await second.kill()

    asyncio.run(live())
    lines = [record.getMessage() for record in caplog.records if "are lost" in record.getMessage()]
    assert len(lines) == 1 and lines[0].endswith("had added are lost: Button 'later'")


def test_context_of_a_restored_session_is_that_of_its_first_request(tmp_path: Path) -> None:
    seen: list[Any] = []

    def build(document: Any) -> None:
        context = document.session_context
        context.state.setdefault("visits", 0)
        context.state["visits"] += 1
        seen.append((context.request.arguments, context.restoring, dict(context.state), context.user))
        counting(document)

    async def live() -> None:
        first = Process(tmp_path, build)
        session = await first.runtime.session(
            "one", VisibleRequest(arguments={"a": [b"1", b"\xff"]}), {"plan": "x"}, "ada"
        )
        assert not session.context.restoring
        first.view(session)
        await first.save()
        await first.kill()
        second = Process(tmp_path, build)
        again = await second.runtime.session("one", VisibleRequest(arguments={"a": [b"2"]}), {"plan": "y"}, "eve")
        assert (again.context.user, again.context.token_payload["plan"]) == ("ada", "x")
        assert not again.context.restoring
        await second.kill()

    asyncio.run(live())
    arguments = {"a": [b"1", b"\xff"]}
    assert seen == [(arguments, False, {"visits": 1}, "ada"), (arguments, True, {"visits": 2}, "ada")]


def test_hooks_save_and_get_back_what_is_the_applications_own(tmp_path: Path) -> None:
    got: list[Any] = []

    async def saved(context: Any) -> Any:
        await asyncio.sleep(0)
        return {"row": 3}

    async def restored(context: Any, state: Any) -> None:
        got.append((context.id, context.restoring, state))
        context.session.document.title = "restored"

    async def live() -> None:
        first = Process(tmp_path, counting, on_session_saved=saved)
        session = await first.session()
        first.view(session).set(model(session, "slider"), "value", 7)
        await first.save()
        await first.kill()
        second = Process(tmp_path, counting, on_session_restored=restored)
        again = await second.session()
        assert again.document.title == "restored"
        await second.kill()

    asyncio.run(live())
    assert got == [("one", True, {"row": 3})]


def test_what_a_callback_raises_while_restoring_is_logged_and_the_values_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def build(document: Any) -> None:
        counting(document)

        def fail(attr: str, old: Any, new: Any) -> None:
            raise LookupError("not again")

        document.get_model_by_name("text").on_change("value", fail)

    async def live() -> None:
        first = Process(tmp_path, counting)
        session = await first.session()
        client = first.view(session)
        client.set(model(session, "text"), "value", "typed")
        client.set(model(session, "slider"), "value", 7)
        await first.save()
        await first.kill()
        second = Process(tmp_path, build)
        again = await second.session()
        assert (model(again, "text").value, model(again, "slider").value) == ("typed", 7)
        await second.kill()

    asyncio.run(live())
    assert "not again" in caplog.text and "while the session was restored" in caplog.text


def test_restoring_calls_no_callback_twice_and_sends_no_event(tmp_path: Path) -> None:
    calls: list[Any] = []

    def build(document: Any) -> None:
        counting(document)
        slider = document.get_model_by_name("slider")
        slider.on_change("value", lambda attr, old, new: calls.append(new))
        document.get_model_by_name("div").on_change("text", lambda attr, old, new: calls.append(new))

    async def live() -> None:
        first = Process(tmp_path, build)
        session = await first.session()
        client = first.view(session)
        for value in (2, 3, 4):
            client.set(model(session, "slider"), "value", value)
        click(first, session)
        await first.save()
        await first.kill()
        calls.clear()
        second = Process(tmp_path, build)
        again = await second.session()
        assert calls == [4] and model(again, "div").text == "kept 4"
        await second.kill()

    asyncio.run(live())


def test_current_document_is_the_sessions_while_its_callbacks_restore_it(tmp_path: Path) -> None:
    found: list[Any] = []

    def build(document: Any) -> None:
        from bokeh.io import curdoc

        counting(document)
        document.get_model_by_name("slider").on_change("value", lambda attr, old, new: found.append(curdoc()))

    async def live() -> None:
        first = Process(tmp_path, build)
        session = await first.session()
        first.view(session).set(model(session, "slider"), "value", 7)
        await first.save()
        await first.kill()
        second = Process(tmp_path, build)
        again = await second.session()
        assert found == [session.document, again.document]
        await second.kill()

    asyncio.run(live())


def chosen(document: Any) -> None:
    """A choice that decides how many inputs there are, and a text that says what Python knows of them."""
    select, column, tells = Select(name="count", options=["1", "2", "3"]), Column(name="made"), Div(name="tells")

    def tell(attr: str, old: str, new: str) -> None:
        tells.text = ", ".join(each.value for each in column.children)

    def make(attr: str, old: str, new: str) -> None:
        made = [TextInput(name=f"text {number}") for number in range(int(new))]
        for each in made:
            each.on_change("value", tell)
        column.children = made

    select.on_change("value", make)
    document.add_root(Column(children=[select, column, tells]))


def test_models_that_callbacks_make_again_are_known_to_them(tmp_path: Path) -> None:
    async def live() -> None:
        first = Process(tmp_path, chosen)
        session = await first.session()
        client = first.view(session)
        for count in ("3", "1", "2"):
            client.set(model(session, "count"), "value", count)
        client.set(model(session, "text 1"), "value", "second")
        await first.save()
        await first.kill()
        second = Process(tmp_path, chosen)
        again = await second.session()
        idents = [each.id for each in again.document.models]
        assert [each.value for each in model(again, "made").children] == ["", "second"]
        assert len(set(idents)) == len(idents)
        second.view(again).set(model(again, "text 0"), "value", "first")
        assert model(again, "tells").text == "first, second"
        await second.kill()

    asyncio.run(live())


def paged(document: Any) -> None:
    """A choice of pages, each of which is made again when it is chosen, and a text that says what Python knows."""
    select, page = Select(name="page", options=["one", "two"], value="one"), Column(name="shown")
    tells, button = Div(name="tells"), Button(name="button")
    known: dict[str, Any] = {}

    def show(attr: str, old: str, new: str) -> None:
        text, slider = TextInput(title=f"of {new}"), Slider(title=f"how much of {new}", start=0, end=10, value=1)
        for each in (text, slider):
            each.on_change("value", partial(tell, each.title))
        page.children = [text, slider]

    def tell(title: str, attr: str, old: Any, new: Any) -> None:
        known[title] = new
        tells.text = ", ".join(f"{title} {value}" for title, value in sorted(known.items()))

    def swap() -> None:
        page.children = [page.children[0], Slider(title="another", start=0, end=10, value=1)]

    show("value", "", "one")
    select.on_change("value", show)
    button.on_click(swap)
    document.add_root(Column(children=[select, page, tells, button]))


def inputs_of(session: Session) -> list[Any]:
    return list(model(session, "shown").children)


def test_page_that_was_left_and_chosen_again_is_known_to_its_callbacks_however_often_it_is_restored(
    tmp_path: Path,
) -> None:
    async def live() -> None:
        first = Process(tmp_path, paged)
        session = await first.session()
        client = first.view(session)
        for name in ("two", "one"):
            client.set(model(session, "page"), "value", name)
        client.set(inputs_of(session)[0], "value", "a word")
        client.set(inputs_of(session)[1], "value", 7)
        await first.save()
        await first.kill()
        for value in (8, 9, 10):
            process = Process(tmp_path, paged)
            again = await process.session()
            client = process.view(again)
            assert [each.value for each in inputs_of(again)] == ["a word", value - 1]
            assert model(again, "tells").text == f"how much of one {value - 1}, of one a word"
            client.set(inputs_of(again)[1], "value", value)
            assert model(again, "tells").text == f"how much of one {value}, of one a word"
            await process.save()
            await process.kill()

    asyncio.run(live())


def test_model_that_is_like_none_that_was_built_takes_no_others_callbacks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def live() -> None:
        first = Process(tmp_path, paged)
        session = await first.session()
        client = first.view(session)
        click(first, session)
        await first.save()
        client.set(inputs_of(session)[1], "value", 7)
        await first.save()
        before = shown(session)
        await first.kill()
        second = Process(tmp_path, paged)
        again = await second.session()
        assert differences(shown(again), before) == []
        second.view(again).set(inputs_of(again)[1], "value", 8)
        assert (inputs_of(again)[1].title, model(again, "tells").text) == ("another", "")
        await second.kill()

    asyncio.run(live())


def test_columns_that_a_person_has_edited_reach_the_callbacks(tmp_path: Path) -> None:
    def table(document: Any) -> None:
        source, total = ColumnDataSource({"n": np.array([1, 2, 3])}, name="source"), Div(name="total")
        source.on_change("data", lambda attr, old, new: setattr(total, "text", str(sum(new["n"]))))
        document.add_root(Column(children=[total], tags=[source]))

    seen: list[str] = []

    async def live() -> None:
        first = Process(tmp_path, table)
        session = await first.session()
        patch = {"type": "map", "entries": [["n", [[1, 40]]]]}
        source = {"id": model(session, "source").id}
        event = {"kind": "ColumnsPatched", "model": source, "attr": "data", "patches": patch}
        first.view(session).send("PATCH-DOC", {"events": [event]})
        await first.save()
        await first.kill()

        def watched(document: Any) -> None:
            table(document)
            document.get_model_by_name("total").on_change("text", lambda attr, old, new: seen.append(new))

        second = Process(tmp_path, watched)
        again = await second.session()
        assert list(model(again, "source").data["n"]) == [1, 40, 3]
        await second.kill()

    asyncio.run(live())
    assert seen == ["44"]
