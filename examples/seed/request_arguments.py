"""As many points as the address asks for: try ?N=10."""

import numpy as np
from bokeh.plotting import curdoc, figure

DEFAULT_COUNT = 200
MOST = 10_000


def requested_count() -> int:
    """Return the argument N of the request, or the default if it is missing or not a number."""
    # Names map to lists of bytes, because ?N=1&N=2 is a request too.
    arguments = curdoc().session_context.request.arguments
    try:
        return min(max(int(arguments["N"][0]), 0), MOST)
    except (KeyError, ValueError):
        return DEFAULT_COUNT


count = requested_count()
rng = np.random.default_rng(seed=count)

plot = figure(title=f"N = {count}", x_range=(0, 1), y_range=(0, 1), name="plot")
points = plot.scatter(x=rng.random(count), y=rng.random(count), size=8, alpha=0.5)
points.data_source.name = "points"

curdoc().add_root(plot)
