"""The order of a page's models, which of them are shown, and what a person reads on them."""

from __future__ import annotations

from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Button, CheckboxGroup, ColumnDataSource, Div, Slider, TabPanel, Tabs, TextInput
from bokeh.plotting import figure

from app_server.testing.outline import is_a, read, says, shown, texts, walk


def document_of(*roots: object) -> Document:
    document = Document()
    for root in roots:
        document.add_root(root)
    return document


def test_models_come_in_the_order_of_the_page() -> None:
    names = ["a", "b", "c", "d"]
    a, b, c, d = (Button(name=name) for name in names)
    document = document_of(row(a, column(b, c), d), Div(name="e"))
    assert [model.name for model in walk(document) if model.name] == [*names, "e"]


def test_models_behind_properties_are_found_once() -> None:
    source = ColumnDataSource({"x": [1]}, name="source")
    plot = figure(name="plot")
    plot.scatter("x", "x", source=source)
    found = list(walk(document_of(plot, Div(tags=[source]))))
    assert [model.name for model in found if model.name] == ["plot", "source"]
    assert {"LinearAxis", "Range1d", "DataRange1d", "Scatter"} & {type(model).__name__ for model in found}


def test_what_is_hidden_or_in_a_closed_tab_is_not_shown() -> None:
    inside, open_, closed = Button(name="inside"), Button(name="open"), Button(name="closed")
    tabs = Tabs(tabs=[TabPanel(title="a", child=closed), TabPanel(title="b", child=open_)], active=1)
    hidden = column(inside, visible=False)
    found = shown(document_of(hidden, tabs))
    assert open_.id in found
    assert not {inside.id, closed.id, hidden.id} & found


def test_texts_are_what_a_person_reads() -> None:
    assert list(texts(Div(text="<b>Bold</b>&nbsp;and\n <i>slanted</i>"))) == ["Bold and slanted"]
    assert list(texts(Button(label="Go"))) == ["Go"]
    assert list(texts(CheckboxGroup(labels=["x", "y"]))) == ["x", "y"]
    assert list(texts(figure(title="A plot"))) == ["A plot"]
    assert list(texts(TextInput(title="Name", placeholder="Ada"))) == ["Name", "Ada"]
    assert read("1 &lt; 2") == "1 < 2"


def test_models_are_said_by_name_or_by_text() -> None:
    assert says(Slider(name="n", title="Title", start=0, end=1, value=0)) == "Slider 'n'"
    assert says(Slider(title="Title", start=0, end=1, value=0)) == "Slider that says 'Title'"
    assert says(ColumnDataSource()) == "ColumnDataSource"


def test_class_may_be_named_by_one_that_it_is_derived_from() -> None:
    assert is_a(Button(), "Button") and is_a(Button(), "AbstractButton") and not is_a(Button(), "Toggle")
