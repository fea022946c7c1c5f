"""Fourier's waves: a figure that lives inside another page's article.

`host_page.py` beside this file is that other page. It embeds this application twice, with `?wave=square` and
`?wave=sawtooth`; opened by itself, the application shows what the address asks for, or a square wave.
"""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, InlineStyleSheet, Select, Slider
from bokeh.plotting import curdoc, figure
from bokeh.themes import Theme

SAMPLES = 800
MOST = 40
INK, MUTED, ACCENT = "#1f2430", "#7a8194", "#5b4bd6"

harmonics = np.arange(1, MOST + 1)
# The height of each harmonic, as a multiple of the first sine's unit.
WAVES = {
    "square": np.where(harmonics % 2 == 1, 4 / (np.pi * harmonics), 0.0),
    "sawtooth": 2 / np.pi * (-1.0) ** (harmonics + 1) / harmonics,
    "triangle": np.where(harmonics % 2 == 1, 8 / np.pi**2 * (-1.0) ** ((harmonics - 1) // 2) / harmonics**2, 0.0),
}
time = np.linspace(-1, 1, SAMPLES)
SINES = np.sin(np.pi * np.outer(harmonics, time))
IDEAL = {
    "square": np.sign(np.sin(np.pi * time)),
    "sawtooth": time,
    "triangle": 2 / np.pi * np.arcsin(np.sin(np.pi * time)),
}


def requested_wave() -> str:
    """Return the wave that the address or the embedding page asks for."""
    asked = curdoc().session_context.request.arguments.get("wave", [b""])[0].decode("utf-8", errors="replace")
    return asked if asked in WAVES else "square"


doc = curdoc()
doc.theme = Theme(
    json={
        "attrs": {
            # Transparent: the embedding page shows through.
            "Plot": {
                "background_fill_color": None,
                "border_fill_color": None,
                "outline_line_color": None,
                "toolbar_location": None,
            },
            "Grid": {"grid_line_color": INK, "grid_line_alpha": 0.08},
            "Axis": {
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
                "major_label_text_color": MUTED,
            },
            "Title": {"text_color": INK, "text_font_size": "13px"},
        }
    }
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host {{ color: {MUTED}; }}
    .bk-input {{ border: 1px solid #d9dbe6; border-radius: 8px; background-color: #ffffffb0; color: {INK}; }}
    .bk-slider-value {{ color: {INK}; }}
    """
)

sum_source = ColumnDataSource({"time": time, "sum": time, "ideal": time}, name="sum")
bar_source = ColumnDataSource({"harmonic": harmonics, "height": np.zeros(MOST)})

wave = Select(title="Wave", options=list(WAVES), value=requested_wave(), width=130, stylesheets=[CONTROL], name="wave")
terms = Slider(
    title="Sines added up",
    start=1,
    end=MOST,
    value=5,
    bar_color=ACCENT,
    sizing_mode="stretch_width",
    stylesheets=[CONTROL],
    name="terms",
)

curve = figure(x_range=(-1, 1), y_range=(-1.4, 1.4), height=230, sizing_mode="stretch_width", tools="", name="curve")
curve.line("time", "ideal", source=sum_source, line_color=MUTED, line_dash=[5, 5], line_alpha=0.7)
curve.line("time", "sum", source=sum_source, line_color=ACCENT, line_width=2.5)

spectrum = figure(
    title="How much of each sine",
    x_range=(0.4, MOST + 0.6),
    height=120,
    sizing_mode="stretch_width",
    tools="",
)
spectrum.xgrid.visible = False
spectrum.yaxis.ticker.desired_num_ticks = 3
spectrum.vbar("harmonic", top="height", width=0.6, source=bar_source, fill_color=ACCENT, line_color=None)


def add_up() -> None:
    """Draw the sum of the first sines, and their heights."""
    heights = np.where(harmonics <= terms.value, WAVES[wave.value], 0.0)
    sum_source.data = {"time": time, "sum": heights @ SINES, "ideal": IDEAL[wave.value]}
    bar_source.data = {"harmonic": harmonics, "height": heights}


for control in (wave, terms):
    control.on_change("value", lambda attr, old, new: add_up())
add_up()

doc.add_root(
    column(
        row(wave, terms, sizing_mode="stretch_width", styles={"gap": "12px"}),
        curve,
        spectrum,
        sizing_mode="stretch_width",
        styles={"max-width": "960px", "margin": "0 auto"},
    )
)
doc.title = "Fourier's waves"
