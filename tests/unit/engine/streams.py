"""A document with so much data that a slow line takes its time for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, Div, Slider

from tests.support.servers.stage import Stage

POINTS = 6000  # of two columns: 96 kB, a tenth of a second on a line of 1 MB/s
MB = 1e6


def fill(document: Any) -> None:
    """Some data, and when it was made."""
    document.add_root(ColumnDataSource({"x": np.zeros(1), "y": np.zeros(1)}, name="source"))
    document.add_root(Div(name="made", text="0"))
    document.add_root(Slider(name="slider", start=0, end=1000, value=0))


def replace(stage: Stage, points: int = POINTS) -> Callable[[], None]:
    """A callback that sets all data, and says when."""

    def run() -> None:
        stage.model("source").data = {"x": np.zeros(points), "y": np.zeros(points)}
        stage.model("made").text = str(stage.loop.time())
        stage.runs["replace"] += 1

    return run
