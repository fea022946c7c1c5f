"""A wind farm, live: gusts cross twelve turbines, ten readings a second stream into the page.

The weather is simulated, so the application needs no network. A periodic callback computes the next reading and sends
it in four ways that a dashboard needs: `stream` for the curves, `patch` for the bars, a new image for the strip
of turbines, and properties for the figures on top.
"""

import time

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJSTickFormatter,
    DatetimeTickFormatter,
    Div,
    GlobalInlineStyleSheet,
    InlineStyleSheet,
    LinearColorMapper,
    Slider,
)
from bokeh.palettes import interp_palette
from bokeh.plotting import curdoc, figure
from bokeh.themes import Theme

TURBINES = 12
RATED_MW = 8.0
RATED_WIND_M_S = 13.0
CUT_IN_M_S = 3.5
TICK_MS = 100
WINDOW_TICKS = 600
DELAY_TICKS = 14  # the time that a gust takes from one turbine to the next
STRIP_STEP_TICKS = 4

INK, MUTED, PANEL, CYAN, AMBER = "#e6edf7", "#8fa1b8", "#111a2b", "#38d9c4", "#ffb454"
DEEP = interp_palette(["#0d1526", "#12436a", "#155f8a", "#1a7fa1", "#22a3ab", "#38d9c4", "#9df0c9", "#f4ffc9"], 64)


class Weather:
    """Wind that wanders around a mean the visitor sets, with a gust every now and then."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.mean_m_s = 9.0
        self.noise = 0.0
        self.gust = 0.0
        # The newest reading comes last; turbine n feels what the first one felt n delays ago.
        self.history = np.full(TURBINES * DELAY_TICKS, self.mean_m_s)

    def step(self) -> np.ndarray:
        """Return the wind at each turbine, in metres a second, one tick later."""
        self.noise += -0.02 * self.noise + 0.12 * self.rng.standard_normal()
        self.gust = max(self.gust * 0.965, 4.5 * self.rng.random() if self.rng.random() < 0.012 else 0.0)
        self.history = np.append(self.history[1:], max(self.mean_m_s + self.noise + self.gust, 0.0))
        felt = self.history[::-1][::DELAY_TICKS]
        return np.clip(felt + 0.16 * self.rng.standard_normal(TURBINES), 0, None)


def power_mw(wind_m_s: np.ndarray) -> np.ndarray:
    """Return what each turbine delivers: the cube of the wind above cut-in, up to the rated power."""
    share = (wind_m_s**3 - CUT_IN_M_S**3) / (RATED_WIND_M_S**3 - CUT_IN_M_S**3)
    return RATED_MW * np.clip(share, 0, 1)


weather = Weather(seed=7)
first = [weather.step() for _ in range(WINDOW_TICKS)]
past_wind = np.array(first)
past_power = power_mw(past_wind)
now_ms = time.time() * 1000

curves = ColumnDataSource(
    {
        "time": now_ms - TICK_MS * np.arange(WINDOW_TICKS)[::-1],
        "power": past_power.sum(axis=1),
        "wind": past_wind.mean(axis=1),
    },
    name="curves",
)
names = [f"T{number:02d}" for number in range(1, TURBINES + 1)]
bars = ColumnDataSource({"turbine": names, "power": past_power[-1]}, name="bars")
strip = ColumnDataSource({"image": [past_power[::STRIP_STEP_TICKS].T]}, name="strip")

curdoc().theme = Theme(
    json={
        "attrs": {
            "Plot": {
                "background_fill_color": PANEL,
                "border_fill_color": PANEL,
                "outline_line_color": None,
                "min_border_right": 18,
                "min_border_top": 34,
                "toolbar_location": None,
            },
            "Title": {
                "text_color": INK,
                "text_font_size": "14px",
                "text_font_style": "bold",
                "offset": 4,
                "standoff": 10,
            },
            "Grid": {"grid_line_color": "#22304a", "grid_line_alpha": 0.7},
            "Axis": {
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
                "major_label_text_color": MUTED,
                "major_label_text_font_size": "11px",
            },
        }
    }
)

PAGE = GlobalInlineStyleSheet(css="body { background: #0a1120; }")
SHELL = InlineStyleSheet(
    css="""
    :host { max-width: 1440px; margin: 0 auto; padding: 20px clamp(12px, 3vw, 36px); box-sizing: border-box;
            font-family: Inter, system-ui, sans-serif; }
    """
)
CARD = InlineStyleSheet(
    css=":host { border-radius: 14px; overflow: hidden; border: 1px solid #1d2a41; background: #111a2b; }"
)
HEADER = InlineStyleSheet(
    css=f"""
    :host {{ color: {INK}; }}
    h1 {{ margin: 0; font-size: 24px; letter-spacing: -.02em; }}
    p {{ margin: 4px 0 0; font-size: 13px; color: {MUTED}; }}
    """
)
TILE = InlineStyleSheet(
    css=f"""
    :host {{ border-radius: 14px; border: 1px solid #1d2a41; background: {PANEL}; color: {INK};
             box-sizing: border-box; padding: 14px 18px; }}
    small {{ display: block; font-size: 12px; color: {MUTED}; }}
    b {{ font-size: 30px; font-weight: 650; letter-spacing: -.03em; font-variant-numeric: tabular-nums; }}
    span {{ font-size: 13px; color: {MUTED}; margin-left: 6px; }}
    """
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host {{ color: {MUTED}; }}
    .bk-btn {{ background: {CYAN} !important; color: #06231f !important; border: 0; border-radius: 10px;
               padding: 9px 20px; font: 600 14px system-ui, sans-serif; cursor: pointer; }}
    .bk-btn:hover {{ filter: brightness(1.1); }}
    .bk-slider-title {{ font-size: 13px; color: {MUTED}; }}
    .bk-slider-value {{ color: {INK}; }}
    .noUi-target {{ background: #22304a; border: 0; box-shadow: none; height: 6px; border-radius: 6px; }}
    .noUi-connect {{ background: {CYAN}; }}
    .noUi-handle {{ background: {INK}; border: 0; border-radius: 50%; width: 18px !important; height: 18px !important;
                    top: -6px !important; right: -9px !important; box-shadow: 0 1px 6px #0008; }}
    .noUi-handle::before, .noUi-handle::after {{ display: none; }}
    """
)


def growing(basis_px: int) -> dict[str, str]:
    """Return styles of a card that shares a line with others while each gets `basis_px`, and else wraps."""
    return {"flex": f"1 1 {basis_px}px", "min-width": "0"}


def tile(label: str, value: str, unit: str) -> str:
    """Return the HTML of one figure on top of the page."""
    return f"<small>{label}</small><b>{value}</b><span>{unit}</span>"


clock = DatetimeTickFormatter(seconds="%H:%M:%S", minsec="%H:%M:%S", minutes="%H:%M:%S", hourmin="%H:%M:%S")

output = figure(
    title="Output of the farm, MW",
    x_axis_type="datetime",
    y_range=(0, TURBINES * RATED_MW),
    height=300,
    sizing_mode="stretch_width",
    tools="",
    styles=growing(560),
    stylesheets=[CARD],
    name="output",
)
output.x_range.follow = "end"
output.x_range.follow_interval = WINDOW_TICKS * TICK_MS
output.x_range.range_padding = 0
output.xaxis.formatter = clock
output.varea("time", y1=0, y2="power", source=curves, fill_color=CYAN, fill_alpha=0.16)
output.line("time", "power", source=curves, line_color=CYAN, line_width=2.5)

turbines = figure(
    title="Turbines now, MW",
    x_range=(0, RATED_MW),
    y_range=names[::-1],
    height=300,
    sizing_mode="stretch_width",
    tools="",
    styles=growing(280),
    stylesheets=[CARD],
)
turbines.ygrid.grid_line_color = None
turbines.hbar(
    y="turbine",
    right="power",
    height=0.62,
    source=bars,
    line_color=None,
    border_radius=4,
    fill_color={"field": "power", "transform": LinearColorMapper(palette=DEEP[20:], low=0, high=RATED_MW)},
)

gusts = figure(
    title="A gust crosses the farm, one minute from left to right",
    x_range=(-WINDOW_TICKS * TICK_MS / 1000, 0),
    y_range=(TURBINES, 0),
    height=230,
    sizing_mode="stretch_width",
    tools="",
    styles=growing(560),
    stylesheets=[CARD],
)
gusts.grid.visible = False
gusts.yaxis.ticker = np.arange(TURBINES) + 0.5
gusts.yaxis.formatter = CustomJSTickFormatter(code="return 'T' + String(Math.floor(tick) + 1).padStart(2, '0')")
gusts.xaxis.formatter = CustomJSTickFormatter(code="return tick === 0 ? 'now' : tick + ' s'")
gusts.image(
    "image",
    x=-WINDOW_TICKS * TICK_MS / 1000,
    y=0,
    dw=WINDOW_TICKS * TICK_MS / 1000,
    dh=TURBINES,
    source=strip,
    color_mapper=LinearColorMapper(palette=DEEP, low=0, high=RATED_MW),
)

breeze = figure(
    title="Wind, m/s",
    x_axis_type="datetime",
    x_range=output.x_range,
    y_range=(0, 22),
    height=230,
    sizing_mode="stretch_width",
    tools="",
    styles=growing(280),
    stylesheets=[CARD],
)
breeze.xaxis.formatter = clock
breeze.xaxis.ticker.desired_num_ticks = 3
breeze.line("time", "wind", source=curves, line_color=AMBER, line_width=2)

header = Div(
    text=f"<h1>Windward, live</h1><p>{TURBINES} turbines at sea, simulated in Python, ten readings a second</p>",
    margin=0,
    styles={"flex": "1 1 320px"},
    stylesheets=[HEADER],
)
wind_slider = Slider(
    title="Mean wind, m/s",
    start=2,
    end=16,
    step=0.5,
    value=9,
    width=220,
    bar_color=CYAN,
    stylesheets=[CONTROL],
    name="mean",
)
pause = Button(label="Pause", width=110, stylesheets=[CONTROL], name="pause")
tiles = {
    name: Div(margin=0, styles=growing(150), stylesheets=[TILE], name=name) for name in ("mw", "load", "wind", "peak")
}


def show_figures() -> None:
    """Put the newest reading into the tiles."""
    power, wind = curves.data["power"], curves.data["wind"]
    tiles["mw"].text = tile("Output", f"{power[-1]:.1f}", "MW")
    tiles["load"].text = tile("Capacity in use", f"{100 * power[-1] / (TURBINES * RATED_MW):.0f}", "%")
    tiles["wind"].text = tile("Wind", f"{wind[-1]:.1f}", "m/s")
    tiles["peak"].text = tile("Peak of this minute", f"{np.max(power):.1f}", "MW")


def advance() -> None:
    """Compute the next reading and send what it changes."""
    wind = weather.step()
    power = power_mw(wind)
    reading = {"time": [time.time() * 1000], "power": [power.sum()], "wind": [wind.mean()]}
    curves.stream(reading, rollover=WINDOW_TICKS)
    bars.patch({"power": [(slice(TURBINES), power)]})
    recent.append(power)
    if len(recent) == STRIP_STEP_TICKS:
        image = strip.data["image"][0]
        strip.data = {"image": [np.column_stack([image[:, 1:], np.mean(recent, axis=0)])]}
        recent.clear()
        show_figures()


def toggle() -> None:
    """Stop the readings, or let them go on."""
    global readings
    if readings is None:
        readings = curdoc().add_periodic_callback(advance, TICK_MS)
        pause.label = "Pause"
    else:
        curdoc().remove_periodic_callback(readings)
        readings = None
        pause.label = "Go on"


def set_mean(attr: str, old: float, new: float) -> None:
    """Let the weather wander around another mean."""
    weather.mean_m_s = new


recent: list[np.ndarray] = []
readings = None
pause.on_click(toggle)
wind_slider.on_change("value", set_mean)
show_figures()
toggle()

LINE = {"flex-wrap": "wrap", "gap": "14px"}
curdoc().add_root(
    column(
        row(header, wind_slider, pause, sizing_mode="stretch_width", styles={**LINE, "align-items": "center"}),
        row(*tiles.values(), sizing_mode="stretch_width", styles=LINE),
        row(output, turbines, sizing_mode="stretch_width", styles=LINE),
        row(gusts, breeze, sizing_mode="stretch_width", styles=LINE),
        sizing_mode="stretch_width",
        styles={"gap": "14px"},
        stylesheets=[PAGE, SHELL],
    )
)
curdoc().title = "Windward, live"
