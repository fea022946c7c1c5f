"""Acts do what a person could, reach the application as from a browser, and are refused where a person could not."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
from bokeh.events import ButtonClick, DoubleTap, MouseMove, RangesUpdate, Tap, ValueSubmit
from bokeh.layouts import column
from bokeh.models import (
    Button,
    Checkbox,
    CheckboxGroup,
    ColumnDataSource,
    DataTable,
    DatePicker,
    DateSlider,
    Div,
    Dropdown,
    FileInput,
    GlyphRenderer,
    MultiChoice,
    RadioButtonGroup,
    Select,
    Slider,
    TableColumn,
    TabPanel,
    Tabs,
    TextInput,
    Toggle,
)
from bokeh.plotting import figure

from app_server.testing import CannotDo, NotFound, OpenApp, open_app


def opened(*models: Any) -> Any:
    """An application of these models, which are given as functions: each session has its own."""
    return open_app(lambda document: [document.add_root(make()) for make in models])


def noting(model: Any, attr: str, notes: list[Any]) -> Any:
    """The model; what a property of it becomes is noted."""
    model.on_change(attr, lambda attr, old, new: notes.append(new))
    return model


def test_what_a_widget_does_not_offer_is_refused() -> None:
    with opened(
        lambda: Slider(title="Amplitude", start=0, end=5, step=0.5, value=1),
        lambda: Select(name="menu", options=["a", ("b", "Bee")], value="a"),
        lambda: TextInput(name="short", max_length=3),
    ) as app:
        slider, menu, short = app.find(Slider), app.find(Select), app.find(TextInput)
        says = "Slider that says 'Amplitude': "
        for widget, values, why in (
            (slider, {"value": 6}, f"{says}6 is not between 0 and 5"),
            (slider, {"value": 1.3}, f"{says}1.3 is not at one of its steps: it starts at 0, step 0.5"),
            (slider, {"value": "3"}, f"{says}takes a number, not '3'"),
            (slider, {"end": 9}, f"{says}a person changes its value, not end"),
            (menu, {"value": "Bee"}, "Select 'menu': 'Bee' is not among its options: 'a', 'b'"),
            (short, {"value": "long"}, "TextInput 'short': takes at most 3 characters, and 'long' has 4"),
        ):
            with pytest.raises(CannotDo) as refused:
                app.set(widget, **values)
            assert str(refused.value) == why
        app.set(slider, value=4.5)
        app.set(menu, value="b")
        app.set(short, value="abc")
        assert [model.value for model in (slider, menu, short)] == [4.5, "b", "abc"]


def test_what_is_not_shown_or_disabled_cannot_be_used() -> None:
    def application(document: Any) -> None:
        hidden = column(Button(label="Hidden", name="hidden"), visible=False, name="box")
        tabs = Tabs(
            tabs=[
                TabPanel(title="One", child=Button(label="First", name="first")),
                TabPanel(title="Two", child=Button(label="Second", name="second")),
            ]
        )
        for root in (hidden, tabs, Button(label="Off", name="off", disabled=True)):
            document.add_root(root)

    with open_app(application) as app:
        for name, why in (
            ("hidden", "Button 'hidden' is not shown: it lies in Column 'box', which is not visible"),
            ("second", "Button 'second' is not shown: it lies in the tab 'Two', which is not open"),
            ("off", "Button 'off' is disabled"),
        ):
            with pytest.raises(CannotDo) as refused:
                app.click(app.find(name=name))
            assert str(refused.value) == why
        app.click(app.find(name="first"))
        app.set(app.find(Tabs), active="Two")
        app.click(app.find(name="second"))
        assert not app.is_shown(app.find(name="first"))


def test_click_reaches_callbacks_of_all_kinds_of_buttons() -> None:
    notes: list[Any] = []

    def application(document: Any) -> None:
        button, toggle = Button(label="Go"), Toggle(label="On", name="toggle")
        menu = Dropdown(label="Menu", menu=[("One", "1"), None, ("Two", "2")])
        button.on_event(ButtonClick, lambda event: notes.append(event.model.label))
        toggle.on_click(lambda active: notes.append(("toggle", active)))
        menu.on_click(lambda event: notes.append(("menu", event.item)))
        box = noting(Checkbox(label="Box"), "active", notes)
        radio = noting(RadioButtonGroup(labels=["x", "y"]), "active", notes)
        boxes = noting(CheckboxGroup(labels=["p", "q", "r"], active=[2]), "active", notes)
        for root in (button, toggle, menu, box, radio, boxes, Button(label="Unheard")):
            document.add_root(root)

    with open_app(application) as app:
        app.click(app.find(Button, label="Go"))
        app.click(app.find(Toggle))
        app.click(app.find(Dropdown), "2")
        app.click(app.find(Checkbox))
        app.click(app.find(RadioButtonGroup), "y")
        app.click(app.find(CheckboxGroup), "p")
        app.click(app.find(CheckboxGroup), 2)
        app.click(app.find(Button, label="Unheard"))
        assert notes == ["Go", ("toggle", True), ("menu", "2"), True, 1, [0, 2], [0]]
        with pytest.raises(CannotDo, match="Dropdown that says 'Menu': '3' is not among its items: '1', '2'"):
            app.click(app.find(Dropdown), "3")
        with pytest.raises(CannotDo, match="say which item: 'x', 'y'"):
            app.click(app.find(RadioButtonGroup))


def test_split_menus_are_buttons_too() -> None:
    notes: list[Any] = []

    def make() -> Dropdown:
        menu = Dropdown(label="Run", split=True, menu=[("Twice", "2")])
        menu.on_click(lambda event: notes.append(event.event_name))
        return menu

    with opened(make, lambda: Dropdown(label="Only", menu=["a"])) as app:
        app.click(app.find(Dropdown, label="Run"))
        app.click(app.find(Dropdown, label="Run"), "2")
        assert notes == ["button_click", "menu_item_click"]
        with pytest.raises(CannotDo, match="say which item: 'a'"):
            app.click(app.find(Dropdown, label="Only"))


def test_acts_are_refused_by_what_does_not_take_them() -> None:
    with opened(lambda: Button(label="Go")) as app:
        button = app.find(Button)
        for act, why in (
            (lambda: app.click(button, "item"), "has no items"),
            (lambda: app.type(button, "x"), "takes no text; see set()"),
            (lambda: app.upload(button, b"x"), "takes no files"),
            (lambda: app.download(button), "downloads nothing"),
            (lambda: app.select(button, [0]), "has no rows; select in a data source, a renderer or a table"),
        ):
            with pytest.raises(CannotDo) as refused:
                act()
            assert str(refused.value) == f"Button that says 'Go': {why}"


def test_typing_sends_each_letter_and_enter() -> None:
    notes: list[Any] = []

    def make() -> TextInput:
        field = TextInput(title="Name")
        for attr in ("value", "value_input"):
            noting(field, attr, notes)
        field.on_event(ValueSubmit, lambda event: notes.append(("enter", event.value)))
        return field

    with opened(make) as app:
        app.type(app.find(TextInput), "Ada")
        assert notes == ["A", "Ad", "Ada", "Ada", ("enter", "Ada")]
        app.type(app.find(TextInput), "B", enter=False)
        assert notes[5:] == ["B", "B"]


def test_dates_are_sent_as_browsers_send_them() -> None:
    notes: list[Any] = []
    first, last = datetime.date(2026, 1, 1), datetime.date(2026, 12, 31)
    with opened(
        lambda: noting(DateSlider(start=first, end=last, value=first), "value", notes),
        lambda: noting(DatePicker(min_date=first, max_date=last, disabled_dates=["2026-05-05"]), "value", notes),
    ) as app:
        app.set(app.find(DateSlider), value=datetime.date(2026, 3, 1))
        app.set(app.find(DatePicker), value=datetime.date(2026, 3, 2))
        assert notes == [1772323200000, "2026-03-02"]
        assert app.session.document.roots[0].value_as_date == datetime.date(2026, 3, 1)
        for day, why in (("2027-01-01", "is not between"), ("2026-05-05", "cannot be chosen"), ("May", "takes a date")):
            with pytest.raises(CannotDo, match=why):
                app.set(app.find(DatePicker), value=day)


def test_upload_gives_the_file_to_the_application(tmp_path: Path) -> None:
    seen: list[bytes] = []

    def make() -> FileInput:
        field = FileInput()
        field.on_change("value", lambda attr, old, new: seen.append(base64.b64decode(new)))
        return field

    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\n1,2\n")
    with opened(make) as app:
        app.upload(app.find(FileInput), path)
        app.upload(app.find(FileInput), b"\0\1", filename="raw.bin", mime_type="application/x-raw")
        with pytest.raises(CannotDo, match="takes one file, not 2"):
            app.upload(app.find(FileInput), path, path)
        server = app.session.document.roots[0]
        assert (server.filename, base64.b64decode(server.value)) == ("raw.bin", b"\0\1")
        assert (server.mime_type, app.find(FileInput).mime_type) == ("application/x-raw", "application/x-raw")
    assert seen[0] == b"a,b\n1,2\n"


def test_rows_are_selected_in_sources_tables_and_renderers() -> None:
    notes: list[Any] = []

    def application(document: Any) -> None:
        source = ColumnDataSource({"x": [1, 2, 3]}, name="source")
        noting(source.selected, "indices", notes)
        plot = figure(name="plot")
        plot.scatter("x", "x", source=source)
        document.add_root(plot)
        document.add_root(DataTable(source=source))

    with open_app(application) as app:
        app.select(app.find(ColumnDataSource), [1, 2])
        app.select(app.find(DataTable), [0])
        app.select(app.find(GlyphRenderer), [])
        assert notes == [[1, 2], [0], []]
        with pytest.raises(CannotDo, match="ColumnDataSource 'source': has 3 rows, and none of index 3"):
            app.select(app.find(DataTable), [3])


def test_cells_of_tables_are_edited() -> None:
    notes: list[Any] = []

    def application(document: Any) -> None:
        source = ColumnDataSource({"x": [1, 2], "y": ["a", "b"]})
        noting(source, "data", notes)
        columns = [TableColumn(field="x", title="X"), TableColumn(field="y")]
        document.add_root(DataTable(source=source, columns=columns, editable=True, name="open"))
        document.add_root(DataTable(source=source, columns=columns, name="closed"))

    with open_app(application) as app:
        table = app.find(name="open")
        app.edit(table, 1, "X", 5)
        app.edit(table, 0, "y", "c")
        assert app.session.document.roots[0].source.data == {"x": [1, 5], "y": ["c", "b"]}
        assert len(notes) == 2
        for act, why in (
            (lambda: app.edit(app.find(name="closed"), 0, "x", 1), "DataTable 'closed': cannot be edited"),
            (lambda: app.edit(table, 0, "z", 1), "DataTable 'open': 'z' is not among its columns: 'x', 'y'"),
            (lambda: app.edit(table, 2, "x", 1), "DataTable 'open': has 2 rows, and none of index 2"),
        ):
            with pytest.raises(CannotDo) as refused:
                act()
            assert str(refused.value) == why


def test_plots_are_tapped_hovered_and_zoomed() -> None:
    notes: list[Any] = []

    def application(document: Any) -> None:
        plot = figure(name="plot", x_range=(0, 1), y_range=(0, 1))
        for kind in (Tap, MouseMove, DoubleTap):
            plot.on_event(kind, lambda event: notes.append((event.event_name, event.x, event.y)))
        plot.on_event(RangesUpdate, lambda event: notes.append((event.x0, event.x1, event.y0, event.y1)))
        noting(plot.x_range, "end", notes)
        document.add_root(plot)

    with open_app(application) as app:
        plot = app.find(name="plot")
        app.tap(plot, 1.5, 2)
        app.hover(plot, 3, 4)
        app.fire(DoubleTap(plot, x=5, y=6))
        app.zoom(plot, x=(2, 8))
        assert notes == [("tap", 1.5, 2), ("mousemove", 3, 4), ("doubletap", 5, 6), 8, (2, 8, 0, 1)]


def test_server_models_and_models_of_an_earlier_page_name_their_own() -> None:
    made: list[Slider] = []

    def application(document: Any) -> None:
        made.append(Slider(start=0, end=10, value=0, name="slider"))
        document.add_root(made[0])
        button = Button(label="Remove", name="remove")
        button.on_click(lambda: document.remove_root(made[0]))
        document.add_root(button)

    with open_app(application) as app:
        before = app.find(Slider)
        app.set(made[0], value=3)
        app.reconnect()
        app.set(before, value=4)
        assert (made[0].value, app.find(Slider).value) == (4, 4)
        app.click(app.find(name="remove"))
        with pytest.raises(CannotDo, match=r"Slider 'slider' is not in the page \(any more\); find it again"):
            app.set(before, value=5)
        with pytest.raises(NotFound, match="find\\(\\) finds the models of the page"):
            app.click("remove")


def test_choices_of_several_are_checked() -> None:
    with opened(lambda: MultiChoice(options=["a", "b", "c"], max_items=2)) as app:
        choice = app.find(MultiChoice)
        app.set(choice, value=("a", "c"))
        assert choice.value == ["a", "c"]
        for value, why in ((["a", "b", "c"], "at most 2 items"), (["d"], "'d' is not among"), ("a", "takes a list")):
            with pytest.raises(CannotDo, match=why):
                app.set(choice, value=value)


def test_any_property_of_an_unknown_class_can_be_set() -> None:
    with opened(lambda: Div(text="a", name="div")) as app:
        app.set(app.find(Div), text="b")
        assert app.session.document.roots[0].text == "b"
        with pytest.raises(CannotDo, match="Div 'div': has no property 'words'"):
            app.set(app.find(Div), words="c")
        with pytest.raises(CannotDo, match="cannot be clicked; for plots, see tap"):
            app.click(app.find(Div))
    assert isinstance(app, OpenApp)
