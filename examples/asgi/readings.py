"""Temperatures that an API takes, as a plot that everyone who looks at it sees grow."""

import itertools
import threading

from bokeh.document import Document
from bokeh.models import ColumnDataSource, Div
from bokeh.plotting import figure

SHOWN = 200
"""How many readings a page keeps."""


class Readings:
    """The readings since the start; each visitor's document shows them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._celsius = []

    def __len__(self):
        return len(self._celsius)

    def add(self, celsius):
        """Take a reading; its number."""
        with self._lock:
            self._celsius.append(float(celsius))
            return len(self._celsius)

    def plot(self, document: Document) -> None:
        """Fill a visitor's document with what there is so far."""
        source = ColumnDataSource({"number": [], "celsius": []}, name="readings")
        plot = figure(title="Readings", height=300, sizing_mode="stretch_width", x_axis_label="number")
        plot.line("number", "celsius", source=source, line_width=2)
        plot.scatter("number", "celsius", source=source, size=6)
        user = document.session_context.user
        document.add_root(Div(text=f"Hello, {user}." if user else "Hello.", name="greeting"))
        document.add_root(plot)
        document.title = "Readings"
        self.show_new(document)

    def show_new(self, document: Document) -> None:
        """Append what a document does not show yet."""
        source = document.get_model_by_name("readings")
        last = source.data["number"][-1] if len(source.data["number"]) else 0
        numbers = range(int(last) + 1, len(self) + 1)
        new = list(itertools.islice(self._celsius, int(last), len(self)))
        source.stream({"number": list(numbers), "celsius": new}, rollover=SHOWN)
