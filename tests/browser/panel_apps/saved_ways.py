"""Inputs of many kinds, of which Python tells what it knows; a choice decides how many of them there are."""

import pandas as pd
import panel as pn

pn.extension("tabulator", template="fast")

COUNTS = {"one": 1, "two": 2, "three": 3}

choice = pn.widgets.Select(name="parts", options=list(COUNTS), value="one")
parts = pn.Column()
told = pn.pane.Str("-", css_classes=["told"])
guarded = pn.pane.Str("-", css_classes=["guarded"])
read = pn.pane.Str("-", css_classes=["read"])
summed = pn.pane.Str("-", css_classes=["summed"])
password = pn.widgets.PasswordInput(name="password")
file = pn.widgets.FileInput(name="file")
table = pn.widgets.Tabulator(pd.DataFrame({"number": [1, 2, 3]}), show_index=False, name="table")
button = pn.widgets.Button(name="tell")


def tell(*events):
    """All that Python knows."""
    texts = ", ".join(f"{part.name}: {part.value}" for part in parts)
    numbers = [int(number) for number in table.value["number"]]
    told.object = (
        f"told: {choice.value} [{texts}] {file.filename} {len(file.value or b'')} {numbers} {len(password.value or '')}"
    )


def fill(event=None):
    """Make as many parts as are chosen."""
    made = [pn.widgets.TextInput(name=str(number + 1), css_classes=["part"]) for number in range(COUNTS[choice.value])]
    for part in made:
        part.param.watch(tell, "value")
    parts.objects = made


def add_up(*events):
    """The sum of the table's numbers."""
    summed.object = f"sum {int(table.value['number'].sum())}"


choice.param.watch(fill, "value")
password.param.watch(lambda event: setattr(guarded, "object", f"{len(event.new)} letters"), "value")
file.param.watch(lambda event: setattr(read, "object", f"{file.filename}: {event.new.decode()}"), "value")
table.param.watch(add_up, "value")
table.on_edit(add_up)
button.on_click(tell)
fill()
pn.Column(choice, parts, told, password, guarded, file, read, table, summed, button).servable(target="main")
