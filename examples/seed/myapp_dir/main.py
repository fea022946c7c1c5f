"""A directory application with everything in place: data, helpers, hooks, theme, template, static files, a model."""

from pathlib import Path

from bokeh.models import ColumnDataSource, Select
from bokeh.plotting import curdoc, figure
from helpers import load_data
from thing_models import DensityBadge

things = load_data(Path(__file__).parent / "data" / "things.csv")
by_name = {thing.name: thing for thing in things}

source = ColumnDataSource(
    {
        "thing": [thing.name for thing in things],
        "density": [thing.density for thing in things],
        "color": ["#c2410c" if thing.density > 1 else "#0369a1" for thing in things],
    },
    name="things",
)
plot = figure(
    title="Kilograms in a litre",
    x_range=[thing.name for thing in things],
    y_axis_type="log",
    y_range=(0.01, 20),
    height=320,
    sizing_mode="stretch_width",
    toolbar_location=None,
    name="plot",
)
plot.vbar(x="thing", top="density", bottom=0.01, width=0.7, color="color", source=source)

badge = DensityBadge(name="badge")
choice = Select(title="Thing", options=list(by_name), value="apple", name="choice")


def show(name: str) -> None:
    """Let the badge say whether a thing floats."""
    thing = by_name[name]
    badge.update(label=thing.name, density=thing.density)


def forget() -> None:
    """Start again at the apple; the badge calls this when it is clicked."""
    choice.value = "apple"


choice.on_change("value", lambda attr, old, new: show(new))
badge.on_change("clicks", lambda attr, old, new: forget())
show(choice.value)

for root in (choice, badge, plot):
    curdoc().add_root(root)
curdoc().title = "Things"
