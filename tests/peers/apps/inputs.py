"""Inputs of every kind; each says what Python got."""

from bokeh.models import (
    AutocompleteInput,
    Checkbox,
    CheckboxButtonGroup,
    CheckboxGroup,
    ColorPicker,
    DatePicker,
    DateRangePicker,
    DateRangeSlider,
    DateSlider,
    DatetimePicker,
    DatetimeRangeSlider,
    Div,
    MultiChoice,
    MultiSelect,
    NumericInput,
    PaletteSelect,
    PasswordInput,
    RadioButtonGroup,
    RadioGroup,
    RangeSlider,
    Select,
    Slider,
    Spinner,
    Switch,
    TextAreaInput,
    TextInput,
    TimePicker,
)
from bokeh.plotting import curdoc

LETTERS = ["a", "b", "c"]
DAYS = {"start": "2024-01-01", "end": "2024-12-31"}
said = Div(name="said", text="")
inputs = [
    Select(options=LETTERS, value="a", name="select"),
    MultiSelect(options=[("1", "one"), ("2", "two")], value=["1"], name="multi"),
    MultiChoice(options=LETTERS, name="choice"),
    CheckboxGroup(labels=LETTERS, active=[0], name="checks"),
    CheckboxButtonGroup(labels=LETTERS, name="check_buttons"),
    RadioGroup(labels=LETTERS, active=None, name="radio"),
    RadioButtonGroup(labels=LETTERS, active=1, name="radio_buttons"),
    Slider(start=0, end=10, step=0.5, value=1, name="slider"),
    RangeSlider(start=0, end=10, value=(2, 3), name="range"),
    DateSlider(**DAYS, value="2024-02-29", name="date_slider"),
    DateRangeSlider(**DAYS, value=("2024-02-01", "2024-03-01"), name="date_range"),
    DatetimeRangeSlider(**DAYS, value=("2024-02-01", "2024-03-01"), name="datetime_range"),
    Spinner(low=0, high=5, step=1, value=2, name="spinner"),
    NumericInput(value=None, mode="float", name="numeric"),
    TextInput(value="", name="text"),
    TextAreaInput(name="area"),
    PasswordInput(name="password"),
    ColorPicker(color="navy", name="color"),
    AutocompleteInput(completions=LETTERS, restrict=False, name="complete"),
    DatePicker(value="2024-01-01", name="date"),
    DateRangePicker(name="date_pair"),
    DatetimePicker(name="datetime"),
    TimePicker(name="time"),
    Checkbox(label="Check", name="check"),
    Switch(name="switch"),
    PaletteSelect(items=[("warm", ["red", "orange"]), ("cold", ["blue", "cyan"])], value="warm", name="palette"),
]


def tell(name, attr, old, new):
    said.text += f"{name}.{attr}: {old!r} -> {new!r}\n"


for widget in inputs:
    for attr in ("value", "value_throttled", "value_input", "active", "color"):
        if attr in widget.properties():
            widget.on_change(attr, lambda attr, old, new, name=widget.name: tell(name, attr, old, new))
    curdoc().add_root(widget)
curdoc().add_root(said)
