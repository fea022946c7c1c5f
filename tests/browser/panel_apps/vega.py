"""A Vega-Lite pane, whose scripts have names without an extension."""

from __future__ import annotations

import panel as pn

pn.extension("vega")

BARS = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"a": "A", "b": 28}, {"a": "B", "b": 55}, {"a": "C", "b": 43}]},
    "mark": "bar",
    "encoding": {"x": {"field": "a", "type": "nominal"}, "y": {"field": "b", "type": "quantitative"}},
    "width": 300,
    "height": 200,
}

pn.Column(pn.pane.Vega(BARS, css_classes=["bars"])).servable(title="Vega")
