"""A garden with a theme, a template, static files, a helper module and data beside it."""

import json
from pathlib import Path

from bokeh.models import Div
from bokeh.plotting import curdoc, figure
from plants import PLANT

beds = json.loads((Path(__file__).parent / "beds.json").read_text(encoding="utf-8"))
plot = figure(width=300, height=200, name="plot")
plot.vbar(x=[bed["x"] for bed in beds], top=[bed["height"] for bed in beds], width=0.8)
curdoc().add_root(Div(text=PLANT, name="plant"))
curdoc().add_root(plot)
curdoc().title = "A garden"
curdoc().template_variables["season"] = "spring <b>&</b> summer"
