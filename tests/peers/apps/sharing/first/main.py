"""Imports a module of its own, and one that it shares with another application."""

import sys
from pathlib import Path

from bokeh.models import Div
from bokeh.plotting import curdoc

sys.path.append(str(Path(__file__).parents[1]))
import common_counts
import own_words

counted = common_counts.counted()
curdoc().add_root(Div(text=f"{own_words.WORD} {counted > 0} {own_words.again()}", name="said"))
