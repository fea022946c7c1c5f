"""A stream: a periodic callback adds readings to a plot, and the visitor sets its pace or stops it."""

import math
import random

import panel as pn
from bokeh.models import ColumnDataSource
from bokeh.plotting import figure

pn.extension(template="material", design="material")

KEEP = 300

source = ColumnDataSource({"second": [], "pulse": []}, name="readings")
plot = figure(height=320, sizing_mode="stretch_width", x_axis_label="Seconds", y_axis_label="Beats per minute")
plot.x_range.follow = "end"
plot.x_range.follow_interval = 30
plot.line("second", "pulse", source=source, color="#b3261e", width=2)
plot.scatter("second", "pulse", source=source, color="#b3261e", size=4)

effort = pn.widgets.FloatSlider(name="Effort", start=0, end=1, step=0.05, value=0.2)
period = pn.widgets.IntSlider(name="Milliseconds between readings", start=50, end=1000, step=50, value=100)
going = pn.widgets.Toggle(name="Measure", value=True, button_type="primary")
now = pn.indicators.Number(name="Now", value=60, format="{value:.0f}", font_size="40pt",
                           colors=[(90, "#2e7d32"), (130, "#ef6c00"), (250, "#b3261e")])  # fmt: skip
state = {"second": 0.0, "pulse": 60.0}


def measure() -> None:
    """One reading: the heart follows the effort slowly and is never quite even."""
    state["second"] += beat.period / 1000
    wanted = 55 + 110 * effort.value
    state["pulse"] += 0.1 * (wanted - state["pulse"]) + random.gauss(0, 0.6) + 0.4 * math.sin(state["second"])
    source.stream({"second": [state["second"]], "pulse": [state["pulse"]]}, KEEP)
    now.value = state["pulse"]


beat = pn.state.add_periodic_callback(measure, period=period.value)
period.link(beat, value="period")
going.link(beat, value="running")

pn.state.template.title = "Pulse"
pn.Column(effort, period, going, now).servable(target="sidebar")
# Not `.servable(target="main")`: with that, Panel 1.10.0 gives the plot a property that it does not have.
pn.state.template.main.append(pn.pane.Bokeh(plot, sizing_mode="stretch_width"))
