"""A round trip through two hundred towns, shortened by a thread while you watch.

The thread anneals: it reverses stretches of the tour at random, and the cooler it gets, the fewer longer tours it
accepts. It owns its data and does not touch the document. A few times a second it schedules a callback that shows what
it has found. Click on the map to found a town.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import exp
from random import Random
from threading import Event, Thread

import numpy as np
from bokeh.document import Document
from bokeh.events import DoubleTap, PointEvent
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, GlobalInlineStyleSheet, InlineStyleSheet, Slider
from bokeh.plotting import curdoc, figure
from bokeh.themes import Theme

TOWNS = 200
TRIES_PER_REPORT = 5_000
REST_S = 0.05  # between two reports, or one visitor would keep a core busy
HOT, COLD = 0.12, 0.0012
PAPER, INK, MUTED, RED, BLUE = "#f7f4ec", "#1d2733", "#6d7680", "#d1432f", "#2b5d8a"


@dataclass(frozen=True)
class Report:
    """What a search has found so far; made by the thread and never changed."""

    tour: np.ndarray
    length: float
    temperature: float
    done: float
    """The part of the search that is done, 0 to 1."""


def found_towns(count: int, seed: int = 11) -> np.ndarray:
    """Return towns in a unit square, as rows of x and y: some in groups, some far from others."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0.15, 0.85, (9, 2))
    crowded = centres[rng.integers(0, 9, 3 * count)] + rng.normal(0, 0.07, (3 * count, 2))
    lonely = rng.uniform(0.03, 0.97, (count, 2))
    places = rng.permutation(np.concatenate([crowded, lonely]))
    inside = np.all((places > 0.02) & (places < 0.98), axis=1)
    return places[inside][:count]


def tour_length(towns: np.ndarray, tour: np.ndarray) -> float:
    """Return the length of a closed tour."""
    steps = towns[tour] - towns[np.roll(tour, 1)]
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


class Search(Thread):
    """A search for a short tour, which reports its progress to a document."""

    def __init__(
        self,
        towns: np.ndarray,
        reports: int,
        document: Document,
        show: Callable[["Search", Report], None],
        session_ended: Event,
    ) -> None:
        super().__init__(daemon=True)
        self.towns = towns
        self.reports = reports
        self.document = document
        self.show = show
        self.session_ended = session_ended
        self.stopped = Event()

    def stop(self) -> None:
        """Let the thread end soon; callable from any thread."""
        self.stopped.set()

    def run(self) -> None:
        """Anneal, and schedule a callback after each round: the only thing that a thread may do to a document."""
        random = Random(5)
        tour = list(range(len(self.towns)))
        random.shuffle(tour)
        steps = self.towns[:, np.newaxis] - self.towns[np.newaxis, :]
        distance = np.hypot(steps[..., 0], steps[..., 1]).tolist()
        for number in range(self.reports + 1):
            done = number / self.reports
            temperature = HOT * (COLD / HOT) ** done
            if number:
                anneal(tour, distance, temperature, random)
            order = np.array(tour)
            report = Report(order, tour_length(self.towns, order), temperature, done)
            if self.stopped.wait(REST_S) or self.session_ended.is_set():
                return
            self.document.add_next_tick_callback(partial(self.show, self, report))


def anneal(tour: list[int], distance: list[list[float]], temperature: float, random: Random) -> None:
    """Reverse stretches of `tour` in place where that shortens it, or lengthens it by what the temperature allows."""
    count = len(tour)
    for _ in range(TRIES_PER_REPORT):
        first = int(random.random() * count)
        last = int(random.random() * count)
        if first > last:
            first, last = last, first
        before, start, end, after = tour[first - 1], tour[first], tour[last], tour[(last + 1) % count]
        if before == end or last - first < 1:
            continue
        longer = distance[before][end] + distance[start][after] - distance[before][start] - distance[end][after]
        if longer < 0 or random.random() < exp(-longer / temperature):
            tour[first : last + 1] = tour[first : last + 1][::-1]


doc = curdoc()
doc.theme = Theme(
    json={
        "attrs": {
            "Plot": {
                "background_fill_color": PAPER,
                "border_fill_color": PAPER,
                "outline_line_color": None,
                "toolbar_location": None,
            },
            "Grid": {"grid_line_color": INK, "grid_line_alpha": 0.07},
            "Axis": {
                "axis_line_color": None,
                "major_tick_line_color": None,
                "minor_tick_line_color": None,
                "major_label_text_color": MUTED,
            },
            "Title": {"text_color": INK, "text_font_size": "14px"},
        }
    }
)
PAGE = GlobalInlineStyleSheet(css=f"body {{ background: {PAPER}; }}")
SHELL = InlineStyleSheet(
    css=":host { max-width: 1320px; margin: 0 auto; padding: 24px clamp(14px, 3vw, 40px); box-sizing: border-box; }"
)
TEXT = InlineStyleSheet(
    css=f"""
    :host {{ color: {INK}; font-family: Inter, system-ui, sans-serif; }}
    h1 {{ margin: 0 0 6px; font-size: 30px; line-height: 1.1; letter-spacing: -.03em; }}
    p {{ margin: 0; font-size: 14px; line-height: 1.5; color: {MUTED}; }}
    .figure {{ font-size: 56px; font-weight: 700; letter-spacing: -.05em; line-height: 1.1; color: {RED};
               font-variant-numeric: tabular-nums; }}
    .bar {{ height: 4px; border-radius: 2px; background: #1d273318; margin-top: 12px; }}
    .bar i {{ display: block; height: 100%; border-radius: 2px; background: {RED}; }}
    """
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host {{ color: {MUTED}; }}
    .bk-btn {{ background: {INK} !important; color: {PAPER} !important; border: 0; border-radius: 999px;
               padding: 11px 22px; font: 600 14px system-ui, sans-serif; cursor: pointer; }}
    .bk-slider-title {{ font-size: 13px; }}
    .noUi-target {{ background: #1d273318; border: 0; box-shadow: none; }}
    """
)

towns = found_towns(TOWNS)
search: Search | None = None
session_ended = Event()
map_source = ColumnDataSource({"x": towns[:, 0], "y": towns[:, 1]}, name="towns")
tour_source = ColumnDataSource({"x": [], "y": []}, name="tour")
curve = ColumnDataSource({"done": [], "length": []}, name="curve")

chart = figure(
    x_range=(0, 1),
    y_range=(0, 1),
    height=740,
    sizing_mode="stretch_width",
    tools="tap",
    styles={"flex": "3 1 420px", "min-width": "0"},
    min_border=0,
    name="map",
)
chart.axis.visible = False
chart.patch("x", "y", source=tour_source, fill_color=BLUE, fill_alpha=0.07, line_color=None)
chart.line("x", "y", source=tour_source, line_color=BLUE, line_width=2.2, line_join="round")
chart.scatter("x", "y", source=map_source, size=7, fill_color=RED, line_color=PAPER, line_width=1.5)

progress = figure(
    title="Length of the tour",
    x_range=(0, 1),
    height=250,
    sizing_mode="stretch_width",
    tools="",
    min_border_left=36,
)
progress.xaxis.visible = False
progress.y_range.start = 0
progress.varea("done", y1=0, y2="length", source=curve, fill_color=RED, fill_alpha=0.1)
progress.line("done", "length", source=curve, line_color=RED, line_width=2.5)

intro = Div(
    text="<h1>The travelling salesman gets a thread</h1>"
    "<p>A thread shortens the round trip by annealing. The page only shows what it reports."
    " Double-click on the map to found a town.</p>",
    stylesheets=[TEXT],
)
status = Div(stylesheets=[TEXT], name="status")
patience = Slider(
    title="Patience, rounds",
    start=50,
    end=500,
    step=25,
    value=200,
    bar_color=RED,
    stylesheets=[CONTROL],
    name="patience",
)
again = Button(label="Start again", stylesheets=[CONTROL], name="again")


def start() -> None:
    """Begin a new search, and end the one before."""
    global search
    if search is not None:
        search.stop()
    curve.data = {"done": [], "length": []}
    map_source.data = {"x": towns[:, 0], "y": towns[:, 1]}
    search = Search(towns, int(patience.value), doc, show, session_ended)
    search.start()


def show(sender: Search, report: Report) -> None:
    """Draw what the present search reports; one that was stopped may still have a report on its way."""
    if sender is not search:
        return
    closed = np.append(report.tour, report.tour[0])
    tour_source.data = {"x": sender.towns[closed, 0], "y": sender.towns[closed, 1]}
    curve.stream({"done": [report.done], "length": [report.length]})
    shorter = 1 - report.length / curve.data["length"][0]
    status.text = (
        f'<div class="figure">{report.length:.2f}</div>'
        f"<p>{100 * shorter:.0f} % shorter than at random, through {len(sender.towns)} towns"
        f"{', and cold' if report.done == 1 else f', at temperature {report.temperature:.4f}'}</p>"
        f'<div class="bar"><i style="width: {100 * report.done:.1f}%"></i></div>'
    )


def add_town(event: PointEvent) -> None:
    """Found a town where the map was clicked, and search again."""
    global towns
    towns = np.vstack([towns, [event.x, event.y]])
    start()


again.on_click(start)
patience.on_change("value_throttled", lambda attr, old, new: start())
chart.on_event(DoubleTap, add_town)
doc.on_session_destroyed(lambda session_context, ended=session_ended: ended.set())
start()

side = column(
    intro,
    status,
    progress,
    patience,
    again,
    sizing_mode="stretch_width",
    styles={"flex": "1 1 300px", "gap": "18px", "min-width": "0"},
)
for child in side.children:
    child.sizing_mode = "stretch_width"
doc.add_root(
    row(
        side,
        chart,
        sizing_mode="stretch_width",
        styles={"flex-wrap": "wrap", "gap": "36px"},
        stylesheets=[PAGE, SHELL],
    )
)
doc.title = "Annealing"
