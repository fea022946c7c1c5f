"""One widget of each kind: the report says in JSON what Python knows of them, and a button sets them all."""

import base64
import json

from bokeh.core.property.descriptors import UnsetValueError
from bokeh.layouts import column
from bokeh.models import (
    Button,
    CheckboxGroup,
    ColorPicker,
    DatePicker,
    FileInput,
    MultiChoice,
    PreText,
    RangeSlider,
    Select,
    TextInput,
    Toggle,
)
from bokeh.plotting import curdoc

text = TextInput(name="text", value="as it was")
select = Select(name="select", options=["north", "south", "west"], value="north")
choices = MultiChoice(name="choices", options=["oak", "elm", "ash"], value=["oak"])
boxes = CheckboxGroup(name="boxes", labels=["salt", "pepper", "vinegar"], active=[0])
span = RangeSlider(name="span", start=0, end=10, step=1, value=(2, 8))
day = DatePicker(name="day", value="2026-01-15")
file = FileInput(name="file")
colour = ColorPicker(name="colour", color="#112233")
toggle = Toggle(name="toggle", label="toggle me")
setter = Button(label="Set all from Python")
report = PreText(name="report")


def uploaded() -> list[str]:
    """Name, type and text of the file; none of them has a value before there is one."""
    try:
        return [file.filename, file.mime_type, base64.b64decode(file.value).decode("utf-8")]
    except UnsetValueError:
        return []


def tell() -> None:
    report.text = json.dumps(
        {
            "text": text.value,
            "select": select.value,
            "choices": choices.value,
            "boxes": boxes.active,
            "span": span.value,
            "day": day.value,
            "file": uploaded(),
            "colour": colour.color,
            "toggle": toggle.active,
        }
    )


def set_all() -> None:
    text.value = "from Python"
    select.value = "west"
    choices.value = ["elm", "ash"]
    boxes.active = [1, 2]
    span.value = (3, 4)
    day.value = "2024-02-29"
    colour.color = "#00ff7f"
    toggle.active = True
    file.clear()  # an event that Python sends to the browser's model
    tell()


widgets = {text: "value", select: "value", choices: "value", boxes: "active", span: "value", day: "value"}
widgets |= {file: "mime_type", colour: "color", toggle: "active"}
for widget, attribute in widgets.items():
    widget.on_change(attribute, lambda attr, old, new: tell())
file.on_change("filename", lambda attr, old, new: tell())
setter.on_click(set_all)
tell()
curdoc().add_root(column(*widgets, setter, report))
