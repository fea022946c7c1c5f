"""Does what its text input `orders` says: a list of operations on a pool of models, in JSON."""

import json

import numpy as np
from bokeh.models import Column, ColumnDataSource, Div, Row, Slider, TextInput, Tooltip
from bokeh.plotting import curdoc, figure

document = curdoc()
orders = TextInput(name="orders")
said = Div(name="said", text="")
source = ColumnDataSource({"x": [0, 1], "y": [0.0, 1.0]}, name="source")
array_source = ColumnDataSource({"x": np.arange(3), "y": np.zeros(3)}, name="arrays")
plot = figure(width=50, height=50, name="plot")
plot.line("x", "y", source=source)
pool = {
    **{f"div {number}": Div(text=f"{number}", name=f"div {number}") for number in range(4)},
    **{f"slider {number}": Slider(start=0, end=9, value=number, name=f"slider {number}") for number in range(2)},
    "row": Row(name="row"),
    "column": Column(name="column"),
    "plot": plot,
    "tip": Tooltip(content="tip", position="top", name="tip"),
}
sources = {"source": source, "arrays": array_source}


set_in_a_hold = set()


def put(name, children):
    pool[name].children = [pool[child] for child in children]


def set_columns(name, change):
    change(sources[name])
    if document.callbacks.hold_value is not None:
        set_in_a_hold.add(name)


def touch(name, change):
    """Stream or patch, but not what was set in the same hold: the stock server sends it twice then."""
    if document.callbacks.hold_value is None:
        set_in_a_hold.clear()
    if name not in set_in_a_hold:
        change(sources[name])


def patch(name, index, value):
    # Half a patch reaches the page here, and with the stock server it does not.
    if index < len(sources[name].data["y"]):
        touch(name, lambda source: source.patch({"y": [(index, value)]}))


operations = {
    "text": lambda name, text: setattr(pool[name], "text", text),
    "value": lambda name, value: setattr(pool[name], "value", value),
    "put": put,
    "append": lambda name, child: pool[name].children.append(pool[child]),
    "pop": lambda name: pool[name].children.pop(),
    "add root": lambda name: document.add_root(pool[name]),
    "remove root": lambda name: document.remove_root(pool[name]),
    "title": lambda text: setattr(document, "title", text),
    "stream": lambda name, numbers, rollover: touch(
        name, lambda source: source.stream({"x": numbers, "y": numbers}, rollover)
    ),
    "patch": patch,
    "data": lambda name, numbers: set_columns(
        name, lambda source: setattr(source, "data", {"x": numbers, "y": numbers[::-1]})
    ),
    "column": lambda name, numbers: set_columns(name, lambda source: source.data.update(z=numbers)),
    "tags": lambda name, others: setattr(pool[name], "tags", [pool[other] for other in others]),
    "style": lambda name, key, value: pool[name].styles.update({key: value}),
    "renew": lambda name: pool.update({name: Div(text="new", name=name)}),
    "tip": lambda name: setattr(pool[name], "tags", [pool["tip"], {"in": pool["tip"]}]),
    "hold": lambda policy: document.hold(policy),
    "unhold": lambda: document.unhold(),
    "select": lambda name, indices: setattr(sources[name].selected, "indices", indices),
    "batch": lambda name, text: pool[name].update(text=text, tags=[text], width=len(text)),
}


def obey(attr, old, new):
    refused = []
    for name, *arguments in json.loads(new)["do"]:
        try:
            operations[name](*arguments)
        except Exception as error:
            refused.append(f"{name}: {type(error).__name__}")
    document.unhold()
    set_in_a_hold.clear()
    said.text = "; ".join(refused)


orders.on_change("value", obey)
for model in pool.values():
    model.on_change("tags", lambda attr, old, new: said.update(tags=[*said.tags, len(new)]))
for root in (orders, said, source, array_source, Column(*list(pool.values())[:2]), pool["plot"]):
    document.add_root(root)
