"""A button that scatters numbers: the smallest complete application in one module.

Serve it with `app-server serve --show examples/seed/myapp.py`. The module runs once for every visitor, so each has
their own count.
"""

from random import uniform

from bokeh.layouts import column
from bokeh.models import Button
from bokeh.palettes import RdYlBu3
from bokeh.plotting import curdoc, figure

plot = figure(x_range=(0, 100), y_range=(0, 100), toolbar_location=None, name="plot")
plot.background_fill_color = plot.border_fill_color = "black"
plot.outline_line_color = None
plot.grid.visible = False

numbers = plot.text(
    x=[], y=[], text=[], text_color=[], text_font_size="20pt", text_align="center", text_baseline="middle"
)
source = numbers.data_source
source.name = "numbers"


def add_number() -> None:
    """Put the next number at a random place."""
    data = source.data
    count = len(data["text"])
    # One new dictionary: the four columns change together, and travel as one change.
    source.data = {
        "x": [*data["x"], uniform(15, 85)],
        "y": [*data["y"], uniform(15, 85)],
        "text_color": [*data["text_color"], RdYlBu3[count % len(RdYlBu3)]],
        "text": [*data["text"], str(count)],
    }


button = Button(label="Press me", button_type="primary")
button.on_click(add_number)

curdoc().add_root(column(button, plot))
curdoc().title = "Press me"
