"""Has an extension that does not compile."""

from bokeh.io import curdoc
from bokeh.models import Div
from bokeh.util.compiler import TypeScript


class Bad(Div):
    __implementation__ = TypeScript("export class Bad extends Nothing { }")


curdoc().add_root(Bad(text="never seen"))
