"""A model with JavaScript of its own, which is compiled when a page is first shown."""

from bokeh.core.properties import Int, Nullable, String
from bokeh.models import Button, Div, LayoutDOM
from bokeh.plotting import curdoc
from bokeh.util.compiler import JavaScript

CODE = """
import {LayoutDOM, LayoutDOMView} from "models/layouts/layout_dom"

export class CounterView extends LayoutDOMView {
  get child_models() { return [] }
}

export class Counter extends LayoutDOM {
  static {
    this.prototype.default_view = CounterView
    this.define(({Int, Str, Nullable}) => ({count: [Int, 0], unit: [Nullable(Str), null]}))
  }
}
"""


class Counter(LayoutDOM):
    __implementation__ = JavaScript(CODE)
    count = Int(default=0)
    unit = Nullable(String)


counter = Counter(count=3, name="counter")
said = Div(name="said", text="")
go = Button(name="go")
counter.on_change("count", lambda attr, old, new: said.update(text=f"{old} -> {new}"))
go.on_click(lambda: counter.update(count=counter.count + 1, unit="apples"))
for root in (counter, said, go):
    curdoc().add_root(root)
