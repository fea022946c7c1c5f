"""A model of our own. Its JavaScript, in dist/, is plain: no compiler runs on the server.

BokehJS finds it because `bokeh.ext.json` marks this package as an extension; the server publishes `dist/` under
`/static/extensions/thing_models/`.
"""

from bokeh.core.properties import Float, Int, String
from bokeh.models import UIElement


class DensityBadge(UIElement):
    """A badge that says whether a thing floats, and counts how often it was clicked."""

    label = String(default="", help="The thing's name.")
    density = Float(default=1.0, help="Kilograms in a litre.")
    clicks = Int(default=0, help="How often the badge was clicked.")
