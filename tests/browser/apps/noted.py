"""Widgets of many kinds; what they send is noted, in the order in which it came."""

import json

from bokeh.events import ButtonClick, MenuItemClick, Tap, ValueSubmit
from bokeh.models import (
    Button,
    Checkbox,
    CheckboxButtonGroup,
    CheckboxGroup,
    ColumnDataSource,
    DataTable,
    DatePicker,
    DateSlider,
    Div,
    Dropdown,
    FileInput,
    MultiSelect,
    NumericInput,
    RadioButtonGroup,
    RadioGroup,
    RangeSlider,
    Select,
    Slider,
    Spinner,
    Switch,
    TableColumn,
    TabPanel,
    Tabs,
    TextAreaInput,
    TextInput,
    Toggle,
)
from bokeh.plotting import curdoc, figure

SENT = ("value", "value_throttled", "value_input", "active", "filename", "mime_type", "color")

source = ColumnDataSource({"x": [1, 2, 3]}, name="source")
widgets = [
    Slider(start=0, end=10, step=1, value=3, name="slider"),
    RangeSlider(start=0, end=10, step=1, value=(2, 8), name="range"),
    DateSlider(start="2026-01-01", end="2026-01-31", value="2026-01-05", name="date slider"),
    TextInput(name="text"),
    TextAreaInput(name="area"),
    NumericInput(value=3, low=0, high=9, name="numeric"),
    Spinner(value=3, low=0, high=9, step=1, name="spinner"),
    Select(options=["a", "b"], value="a", name="select"),
    MultiSelect(options=["a", "b", "c"], value=["a"], name="several"),
    DatePicker(value="2026-01-05", name="date"),
    Button(label="Go", name="button"),
    Toggle(label="Stay", name="toggle"),
    Dropdown(label="Menu", menu=[("One", "1"), ("Two", "2")], name="menu"),
    Checkbox(label="Box", name="box"),
    Switch(name="switch"),
    RadioGroup(labels=["p", "q"], active=0, name="radio"),
    RadioButtonGroup(labels=["r", "s"], active=0, name="radio buttons"),
    CheckboxGroup(labels=["t", "u"], active=[1], name="boxes"),
    CheckboxButtonGroup(labels=["v", "w"], active=[1], name="box buttons"),
    FileInput(name="file"),
    Tabs(tabs=[TabPanel(title="First", child=Div()), TabPanel(title="Second", child=Div())], name="tabs"),
]
plot = figure(width=300, height=300, x_range=(0, 10), y_range=(0, 10), tools="", toolbar_location=None, name="plot")
plot.scatter("x", "x", source=source)
table = DataTable(source=source, columns=[TableColumn(field="x")], width=200, height=150, name="table")
log = Div(text="[]", name="log")


def note(*what):
    """Note what has come."""
    log.text = json.dumps([*json.loads(log.text), what])


def listen(widget):
    """Note all that is sent of this widget."""
    for attr in SENT:
        if attr in widget.properties():
            widget.on_change(attr, lambda attr, old, new: note(widget.name, attr, new))
    for event in (ButtonClick, MenuItemClick, ValueSubmit):
        widget.on_event(event, lambda event: note(widget.name, event.event_name, vars(event).get("item", "")))


for widget in widgets:
    listen(widget)
source.selected.on_change("indices", lambda attr, old, new: note("source", attr, new))
plot.on_event(Tap, lambda event: note("plot", "tap", 0 < event.x < 10, 0 < event.y < 10, event.modifiers))
for root in (*widgets, plot, table, log):
    curdoc().add_root(root)
