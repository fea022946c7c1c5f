"""A quarter of a million stars: select some on the sky or in the diagram, and Python tells you what they are.

Both plots draw the same data source with WebGL, so a selection in one shows in the other at once. The server receives
the indices and answers with what only it can compute quickly: histograms and a summary of the selected stars. The
catalogue is invented, but stars do live like that: a young cluster has blue stars, an old one giants.
"""

from dataclasses import dataclass

import numpy as np
from bokeh.events import Reset
from bokeh.layouts import column, row
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    Div,
    GlobalInlineStyleSheet,
    InlineStyleSheet,
    LassoSelectTool,
    LinearColorMapper,
    Select,
)
from bokeh.palettes import interp_palette
from bokeh.plotting import curdoc, figure
from bokeh.themes import Theme

FIELD_STARS = 190_000
GIANT_COLOR = 0.95
NOBODY = "Nothing selected"
INK, MUTED, PANEL, LINE, GOLD = "#f2eefc", "#9a93b3", "#0f0d1a", "#262138", "#ffd27a"
STARLIGHT = interp_palette(["#8fb4ff", "#c4d6ff", "#ffffff", "#fff0c2", "#ffc979", "#ff8f5a", "#ff5a3c"], 128)


@dataclass(frozen=True)
class Cluster:
    """A group of stars born together: the hotter ones are gone if it is old."""

    name: str
    stars: int
    longitude_deg: float
    latitude_deg: float
    radius_deg: float
    distance_pc: float
    turnoff_color: float
    """The colour index of its bluest star; the lower, the younger the cluster."""


CLUSTERS = (
    Cluster("The Sapphires (young)", 9_000, 62, 5, 2.4, 420, -0.28),
    Cluster("The Kite (young)", 7_000, -96, -7, 2.8, 610, -0.2),
    Cluster("The Lantern (middle-aged)", 8_000, 128, 17, 3.0, 850, 0.15),
    Cluster("The Beehive Box (middle-aged)", 6_000, -42, 26, 2.6, 190, 0.3),
    Cluster("The Ember (old)", 16_000, 24, -33, 3.0, 7_200, 0.55),
    Cluster("The Old Crown (old)", 14_000, -138, 44, 2.7, 9_800, 0.58),
)


def main_sequence(color: np.ndarray) -> np.ndarray:
    """Return the absolute magnitude of stars that burn hydrogen, for their colour index B-V."""
    return -1.2 + 8.4 * (color + 0.3) ** 0.78 - 1.6 * np.exp(-(((color + 0.3) / 0.25) ** 2))


def giant_branch(rng: np.random.Generator, count: int, turnoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return colours and magnitudes of stars that have left the main sequence at `turnoff` for the red and bright."""
    leaving = float(main_sequence(np.array(turnoff)))
    path = np.array([0, 0.15, 0.45, 1])
    progress = rng.beta(1.3, 1.5, count)
    color = np.interp(progress, path, [turnoff, 0.82, 1.05, 1.72])
    magnitude = np.interp(progress, path, [leaving - 0.3, min(leaving - 0.5, 3.2), 1.2, -2.7])
    # Many rest for a while in the red clump.
    resting = rng.random(count) < 0.3
    color[resting] = rng.normal(1.0, 0.06, resting.sum())
    magnitude[resting] = rng.normal(0.7, 0.15, resting.sum())
    return color + rng.normal(0, 0.03, count), magnitude + rng.normal(0, 0.25, count)


def population(rng: np.random.Generator, count: int, turnoff: float) -> tuple[np.ndarray, np.ndarray]:
    """Return colours and magnitudes of `count` stars of one age."""
    giants = int(count * np.clip(0.04 + 0.2 * turnoff, 0.01, 0.2))
    dwarfs = count - giants
    color = turnoff + (1.75 - turnoff) * rng.beta(1.4, 1.25, dwarfs)
    magnitude = main_sequence(color) - rng.exponential(0.25, dwarfs)
    giant_color, giant_magnitude = giant_branch(rng, giants, turnoff)
    return np.concatenate([color, giant_color]), np.concatenate([magnitude, giant_magnitude])


def catalogue(seed: int = 1) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the columns of the catalogue, and for each cluster the indices of its stars."""
    rng = np.random.default_rng(seed)
    ages = np.array([-0.25, 0.0, 0.2, 0.4, 0.55])
    shares = (FIELD_STARS * np.array([0.06, 0.12, 0.2, 0.3, 0.28])).astype(int)
    dwarfs = FIELD_STARS - int(shares.sum())
    groups = [population(rng, count, age) for count, age in zip(shares, ages, strict=True)]
    white = rng.normal(0.15, 0.22, dwarfs)
    groups.append((white, 11.4 + 3.1 * white))
    field = sum(len(color) for color, _ in groups)
    longitude = np.where(rng.random(field) < 0.35, rng.normal(0, 26, field), rng.uniform(-180, 180, field))
    latitude = rng.laplace(0, 4.5 + 6 * np.exp(-((longitude / 20) ** 2)))
    places = [(longitude, latitude, 60 * rng.gamma(3.2, 9, field))]
    members: dict[str, np.ndarray] = {}
    start = field
    for cluster in CLUSTERS:
        groups.append(population(rng, cluster.stars, cluster.turnoff_color))
        radius = cluster.radius_deg * np.abs(rng.standard_t(3, cluster.stars)) * 0.6
        angle = rng.uniform(0, 2 * np.pi, cluster.stars)
        places.append(
            (
                cluster.longitude_deg + radius * np.cos(angle),
                cluster.latitude_deg + radius * np.sin(angle),
                cluster.distance_pc * rng.normal(1, 0.05, cluster.stars),
            )
        )
        members[cluster.name] = np.arange(start, start + cluster.stars)
        start += cluster.stars
    color = np.concatenate([color for color, _ in groups])
    magnitude = np.concatenate([magnitude for _, magnitude in groups])
    longitude, latitude, distance = (np.concatenate(parts) for parts in zip(*places, strict=True))
    columns = {
        "color": color + rng.normal(0, 0.025, start),
        "magnitude": magnitude + rng.normal(0, 0.14, start),
        "longitude": (longitude + 180) % 360 - 180,
        "latitude": np.clip(latitude, -88, 88),
        "distance": np.maximum(distance, 5),
    }
    # Half the bytes to the browser, without a visible difference.
    return {name: values.astype(np.float32) for name, values in columns.items()}, members


def temperature_k(color: np.ndarray) -> np.ndarray:
    """Return surface temperatures for colour indices, by Ballesteros' formula."""
    return 4600 * (1 / (0.92 * color + 1.7) + 1 / (0.92 * color + 0.62))


stars, members = catalogue()
count = len(stars["color"])
source = ColumnDataSource({name: stars[name] for name in ("color", "magnitude", "longitude", "latitude")}, name="stars")

temperature_edges = np.linspace(2500, 20_000, 36)
distance_edges = np.logspace(1.5, 4.3, 36)
measures = {
    "temperature": (temperature_k(np.clip(stars["color"], -0.35, 2)), temperature_edges),
    "distance": (stars["distance"], distance_edges),
}


def shares(name: str, chosen: np.ndarray | slice) -> np.ndarray:
    """Return which share of the chosen stars, in percent, falls into each bin of a measure."""
    values, edges = measures[name]
    counts, _ = np.histogram(values[chosen], edges)
    return 100 * counts / max(counts.sum(), 1)


histograms = {
    name: ColumnDataSource(
        {
            "left": edges[:-1],
            "right": edges[1:],
            "all": shares(name, slice(None)),
            "selected": np.zeros(len(edges) - 1),
        },
        name=name,
    )
    for name, (_, edges) in measures.items()
}

curdoc().theme = Theme(
    json={
        "attrs": {
            "Plot": {
                "background_fill_color": PANEL,
                "border_fill_color": PANEL,
                "outline_line_color": None,
                "min_border_right": 24,
                "min_border_top": 30,
            },
            "Title": {"text_color": INK, "text_font_size": "14px", "offset": 4, "standoff": 8},
            "Grid": {"grid_line_color": LINE, "grid_line_alpha": 0.8},
            "Axis": {
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
                "major_label_text_color": MUTED,
                "axis_label_text_color": MUTED,
                "axis_label_text_font_style": "normal",
                "axis_label_text_font_size": "12px",
            },
        }
    }
)
PAGE = GlobalInlineStyleSheet(css="body { background: radial-gradient(at 75% 0, #1b1531, #06050c 60%) fixed; }")
SHELL = InlineStyleSheet(
    css=":host { max-width: 1480px; margin: 0 auto; padding: 18px clamp(12px, 3vw, 32px); box-sizing: border-box; }"
)
CARD = InlineStyleSheet(css=f":host {{ border: 1px solid {LINE}; border-radius: 14px; overflow: hidden; }}")
TEXT = InlineStyleSheet(
    css=f"""
    :host {{ color: {INK}; font-family: Inter, system-ui, sans-serif; }}
    h1 {{ margin: 0; font-size: 24px; letter-spacing: -.02em; }}
    p {{ margin: 4px 0 0; font-size: 13px; color: {MUTED}; }}
    dl {{ display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 0; }}
    dt {{ font-size: 12px; color: {MUTED}; }}
    dd {{ margin: 0; font-size: 22px; font-weight: 650; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }}
    .some dd {{ color: {GOLD}; }}
    """
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host {{ color: {MUTED}; }}
    .bk-input {{ background-color: {PANEL}; color: {INK}; border: 1px solid {LINE}; border-radius: 10px;
                 font: 14px system-ui, sans-serif; }}
    """
)


def growing(basis_px: int) -> dict[str, str]:
    """Return styles of a card that shares a line with others while each gets `basis_px`, and else wraps."""
    return {"flex": f"1 1 {basis_px}px", "min-width": "0"}


def chart(title: str, height: int, **properties: object) -> figure:
    """Return an empty figure in the style of this page."""
    return figure(title=title, height=height, sizing_mode="stretch_width", stylesheets=[CARD], **properties)


def linked(title: str, height: int, x: str, y: str, size: float, alpha: float, **properties: object) -> figure:
    """Return a scatter plot of the catalogue whose selection is that of the other one."""
    plot = chart(
        title, height, tools="pan,wheel_zoom,reset", output_backend="webgl", toolbar_location="right", **properties
    )
    # The selection is sent when the mouse is released: it may hold a hundred thousand indices.
    box, lasso = BoxSelectTool(continuous=False), LassoSelectTool(continuous=False)
    plot.add_tools(box, lasso)
    plot.toolbar.active_drag = box
    plot.toolbar.logo = None
    plot.scatter(
        x,
        y,
        source=source,
        size=size,
        line_color=None,
        fill_color={"field": "color", "transform": LinearColorMapper(palette=STARLIGHT, low=-0.3, high=1.7)},
        fill_alpha=alpha,
        selection_fill_alpha=0.8,
        nonselection_fill_alpha=alpha / 4,
    )
    plot.on_event(Reset, lambda: select([]))
    return plot


diagram = linked(
    "Colour and brightness",
    660,
    "color",
    "magnitude",
    size=1.8,
    alpha=0.3,
    x_range=(-0.5, 2.0),
    y_range=(16, -6),
    x_axis_label="blue  ←  colour index  →  red",
    y_axis_label="faint  ←  absolute magnitude  →  bright",
    styles=growing(430),
)
sky = linked(
    "The sky, along the Milky Way",
    380,
    "longitude",
    "latitude",
    size=1.4,
    alpha=0.12,
    x_range=(180, -180),
    y_range=(-75, 75),
    x_axis_label="galactic longitude, degrees",
)


def histogram(name: str, title: str, **properties: object) -> figure:
    """Return a histogram that compares the selected stars with all of them."""
    plot = chart(title, 266, tools="", toolbar_location=None, styles=growing(260), **properties)
    plot.y_range.start = 0
    plot.xgrid.visible = False
    bins = histograms[name]
    plot.quad("left", "right", "all", 0, source=bins, fill_color="#57507a", fill_alpha=0.55, line_color=PANEL)
    plot.quad("left", "right", "selected", 0, source=bins, fill_color=GOLD, fill_alpha=0.75, line_color=PANEL)
    return plot


temperatures = histogram("temperature", "Temperature, kelvin", x_range=(2500, 20_000))
distances = histogram("distance", "Distance, parsec", x_axis_type="log", x_range=(10**1.5, 10**4.3))

header = Div(
    text=f"<h1>Stars</h1><p>{count:,} of them: draw a box around some</p>",
    margin=0,
    styles={"flex": "1 1 280px"},
    stylesheets=[TEXT],
)
summary = Div(margin=0, styles={"flex": "2 1 380px"}, stylesheets=[TEXT], name="summary")
jump = Select(title="", value=NOBODY, options=[NOBODY, *members], width=240, stylesheets=[CONTROL], name="jump")


def select(indices: list[int]) -> None:
    """Select these stars in every plot."""
    source.selected.indices = indices


def summarise(chosen: np.ndarray | slice, selected: bool) -> str:
    """Return the HTML that describes some stars in four figures."""
    color, magnitude = stars["color"][chosen], stars["magnitude"][chosen]
    giants = np.mean((color > GIANT_COLOR - 0.35) & (magnitude < 3.0))
    facts = {
        "Selected" if selected else "All stars": f"{len(color):,}",
        "Median temperature": f"{np.median(measures['temperature'][0][chosen]):,.0f} K",
        "Median distance": f"{np.median(stars['distance'][chosen]):,.0f} pc",
        "Giants": f"{100 * giants:.1f} %",
    }
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f'<dl class="{"some" if selected else "all"}">{cells}</dl>'


def follow_selection(attr: str, old: list[int], new: list[int]) -> None:
    """Describe the selected stars, or all of them if none is selected."""
    chosen = np.asarray(new, dtype=int) if new else slice(None)
    for name, bins in histograms.items():
        bins.data = {**bins.data, "selected": shares(name, chosen) if new else np.zeros(len(bins.data["left"]))}
    summary.text = summarise(chosen, selected=bool(new))


def follow_jump(attr: str, old: str, new: str) -> None:
    """Select the stars of a cluster by its name."""
    select(members[new].tolist() if new in members else [])


source.selected.on_change("indices", follow_selection)
jump.on_change("value", follow_jump)
summary.text = summarise(slice(None), selected=False)

LINES = {"flex-wrap": "wrap", "gap": "14px"}
curdoc().add_root(
    column(
        row(header, summary, jump, sizing_mode="stretch_width", styles={**LINES, "align-items": "center"}),
        row(
            diagram,
            column(
                sky,
                row(temperatures, distances, sizing_mode="stretch_width", styles=LINES),
                sizing_mode="stretch_width",
                styles={"gap": "14px", **growing(540)},
            ),
            sizing_mode="stretch_width",
            styles=LINES,
        ),
        sizing_mode="stretch_width",
        styles={"gap": "16px"},
        stylesheets=[PAGE, SHELL],
    )
)
curdoc().title = "Stars"
