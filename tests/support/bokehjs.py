"""What differs between the BokehJS of one minor version of bokeh and that of the next."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("bokeh")
MOST_BYTES = 950_000 if VERSION.startswith("3.9.") else 1_025_000
"""What the parts that pages load take at most, compressed: less than a quarter of the files."""
