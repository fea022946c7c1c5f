"""The Mandelbrot and Julia sets: zoom with the wheel, and Python computes every new view with numpy.

A change of the ranges asks for a new image. A coarse one comes first and a sharp one follows; both are computed in a
thread, so the server can serve other visitors meanwhile. A view that is no longer wanted is not drawn.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import numpy as np
from bokeh.document import without_document_lock
from bokeh.events import PointEvent, Tap
from bokeh.layouts import column, row
from bokeh.models import (
    BoxZoomTool,
    Button,
    ColumnDataSource,
    Div,
    GlobalInlineStyleSheet,
    InlineStyleSheet,
    LinearColorMapper,
    RadioButtonGroup,
    Select,
    Slider,
)
from bokeh.palettes import interp_palette
from bokeh.plotting import curdoc, figure

SHADES = 256
COARSE, SHARP = 4, 1
LONGEST_SIDE_PX = 1200
SETTLE_MS = 80  # a wheel turns in bursts; only the last one matters

PALETTES = {
    "Ember": ["#03010a", "#1b0c3b", "#5c126e", "#b5305b", "#f0703a", "#fdc35b", "#fff7c8", "#fdc35b", "#7a1d6d"],
    "Lagoon": ["#010a14", "#06264a", "#0a5e86", "#16a5a5", "#8fe3b8", "#f7ffe0", "#8fe3b8", "#0f7f95", "#06264a"],
    "Ink": ["#ffffff", "#dcdfe6", "#9aa3b5", "#4c566f", "#141a2a", "#4c566f", "#9aa3b5", "#dcdfe6", "#ffffff"],
}
PLACES = {
    "The whole set": (-0.7, 0.0, 3.0),
    "Seahorse valley": (-0.7453, 0.1127, 0.0065),
    "Elephant valley": (0.2925, 0.0149, 0.03),
    "Spiral": (-0.761574, -0.0847596, 0.0025),
    "Mini-Mandelbrot": (-1.7585, 0.0, 0.07),
}
WHOLE_JULIA = (0.0, 0.0, 3.2)
MANDELBROT, JULIA = 0, 1


def escape(x: np.ndarray, y: np.ndarray, iterations: int, seed: complex | None) -> np.ndarray:
    """Return the shade of each point, 0 for those that never leave: rows are y, columns x.

    `seed` is the constant of a Julia set; None stands for the Mandelbrot set, whose constant is the point itself.
    """
    points = (x[np.newaxis, :] + 1j * y[:, np.newaxis]).ravel()
    z = points.copy() if seed is not None else np.zeros_like(points)
    constant = np.full_like(points, seed) if seed is not None else points
    smooth = np.zeros(points.size, dtype=np.float32)
    inside = np.arange(points.size)
    for step in range(iterations):
        z = z * z + constant
        size = z.real**2 + z.imag**2
        gone = size > 256
        if gone.any():
            # A fraction of a step makes the bands of colour run into each other.
            smooth[inside[gone]] = step + 4 - np.log2(np.log2(size[gone]))
            stay = ~gone
            inside, z, constant = inside[stay], z[stay], constant[stay]
            if not inside.size:
                break
    shade = 1 + np.mod(28 * np.sqrt(np.maximum(smooth, 0)), SHADES - 1)
    shade[inside] = 0
    return shade.astype(np.uint8).reshape(y.size, x.size)


doc = curdoc()
executor = ThreadPoolExecutor(max_workers=1)
doc.on_session_destroyed(lambda session_context, executor=executor: executor.shutdown(wait=False, cancel_futures=True))

image = ColumnDataSource({"image": [np.zeros((2, 2), dtype=np.uint8)], "x": [-2.2], "y": [-1.0], "dw": [3], "dh": [2]})
image.name = "image"


def shades(name: str) -> list[str]:
    """Return a palette of SHADES colours whose first one is that of the set itself."""
    colors = PALETTES[name]
    return ["#05030a" if name != "Ink" else "#0b0f1a", *interp_palette(colors, SHADES - 1)]


mapper = LinearColorMapper(palette=shades("Ember"), low=0, high=SHADES - 1)

PAGE = GlobalInlineStyleSheet(css="body { background: #05030a; }")
PANEL = InlineStyleSheet(
    css="""
    :host { position: absolute; top: 20px; left: 20px; width: 310px; z-index: 10; padding: 18px 18px 14px;
            box-sizing: border-box; border-radius: 16px; color: #f5f0ff; background: #120c1fd9;
            border: 1px solid #ffffff1f; backdrop-filter: blur(10px); }
    @media (max-width: 700px) {
      :host { position: static; width: 100%; border-radius: 0; border-width: 0 0 1px; }
    }
    """
)
FRAME = InlineStyleSheet(
    css="""
    :host { position: relative; height: 100vh; width: 100%; }
    @media (max-width: 700px) { :host { display: flex; flex-direction: column; } }
    """
)
TEXT = InlineStyleSheet(
    css="""
    :host { color: #f5f0ff; font-family: Inter, system-ui, sans-serif; }
    h1 { margin: 0 0 4px; font-size: 22px; letter-spacing: -.02em; }
    p { margin: 0; font-size: 13px; line-height: 1.45; color: #b9b0cf; font-variant-numeric: tabular-nums; }
    """
)
CONTROL = InlineStyleSheet(
    css="""
    :host { color: #b9b0cf; }
    .bk-input, .bk-btn { background-color: #ffffff14 !important; color: #f5f0ff !important; border: 0 !important;
                         border-radius: 9px; font: 13px system-ui, sans-serif; }
    .bk-input option { color: #111; }
    .bk-btn.bk-active { background-color: #f0703a !important; }
    .bk-slider-title { font-size: 13px; }
    .bk-slider-value { color: #f5f0ff; }
    .noUi-target { background: #ffffff26; border: 0; box-shadow: none; }
    """
)

plot = figure(
    x_range=(-2.2, 0.8),
    y_range=(-1.2, 1.2),
    tools=["pan", "wheel_zoom", BoxZoomTool(match_aspect=True), "save"],
    active_scroll="wheel_zoom",
    toolbar_location="right",
    toolbar_inner=True,
    sizing_mode="stretch_both",
    min_height=320,
    min_border=0,
    background_fill_color="#05030a",
    border_fill_color="#05030a",
    outline_line_color=None,
    name="plot",
)
plot.axis.visible = False
plot.grid.visible = False
plot.toolbar.logo = None
plot.toolbar.autohide = True
plot.image("image", "x", "y", "dw", "dh", source=image, color_mapper=mapper)

kind = RadioButtonGroup(labels=["Mandelbrot", "Julia"], active=MANDELBROT, stylesheets=[CONTROL], name="kind")
place = Select(options=list(PLACES), value="The whole set", stylesheets=[CONTROL], name="place")
palette = Select(options=list(PALETTES), value="Ember", stylesheets=[CONTROL], name="palette")
depth = Slider(
    title="Iterations",
    start=50,
    end=1000,
    step=50,
    value=200,
    bar_color="#f0703a",
    stylesheets=[CONTROL],
    name="depth",
)
status = Div(stylesheets=[TEXT], name="status")
whole = Button(label="Whole view", stylesheets=[CONTROL], name="whole")

seed = complex(-0.745, 0.113)
size_px = {"inner_width": 1280, "inner_height": 800}
tickets = count(1)
newest = 0
settling = None


def ask_for_image() -> None:
    """Compute the current view as soon as the ranges have settled."""
    global settling
    if settling is not None:
        doc.remove_timeout_callback(settling)
    settling = doc.add_timeout_callback(start_image, SETTLE_MS)


def start_image() -> None:
    """Read the view while the document is locked, and compute it without the lock."""
    global newest, settling
    settling = None
    newest = next(tickets)
    wide, high = size_px["inner_width"], size_px["inner_height"]
    scale = min(1.0, LONGEST_SIDE_PX / max(wide, high))
    view = (plot.x_range.start, plot.x_range.end, plot.y_range.start, plot.y_range.end)
    size = (max(int(wide * scale), 2), max(int(high * scale), 2))
    constant = seed if kind.active == JULIA else None
    describe(view, size, " …")
    doc.add_next_tick_callback(partial(compute, newest, view, size, int(depth.value), constant))


@without_document_lock
async def compute(ticket: int, view: tuple, size: tuple[int, int], iterations: int, constant: complex | None) -> None:
    """Compute a coarse image and then a sharp one, unless another view has been asked for meanwhile."""
    x0, x1, y0, y1 = view
    loop = asyncio.get_running_loop()
    for step in (COARSE, SHARP):
        x = np.linspace(x0, x1, max(size[0] // step, 2))
        y = np.linspace(y0, y1, max(size[1] // step, 2))
        pixels = await loop.run_in_executor(executor, escape, x, y, iterations, constant)
        if ticket != newest:
            return
        doc.add_next_tick_callback(partial(show, ticket, view, pixels, step))


def show(ticket: int, view: tuple, pixels: np.ndarray, step: int) -> None:
    """Draw an image where it belongs, unless a newer one is on its way."""
    if ticket == newest:
        x0, x1, y0, y1 = view
        image.data = {"image": [pixels], "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0]}
        describe(view, (pixels.shape[1], pixels.shape[0]), "" if step == SHARP else " …")


def describe(view: tuple, size: tuple[int, int], progress: str) -> None:
    """Describe what is shown or, with dots behind it, what will be."""
    x0, x1, y0, y1 = view
    status.text = (
        f"<h1>{kind.labels[kind.active]}</h1>"
        f"<p>{3 / (x1 - x0):,.1f}× at {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:+.6f}i"
        f"<br>{size[0]} × {size[1]} points from numpy{progress}</p>"
    )


def look_at(x: float, y: float, width: float) -> None:
    """Move the view to fit a frame of this width, five by four; the ranges ask for the image."""
    wide, high = size_px["inner_width"], size_px["inner_height"]
    unit = max(width / wide, 0.8 * width / high)
    plot.x_range.update(start=x - unit * wide / 2, end=x + unit * wide / 2)
    plot.y_range.update(start=y - unit * high / 2, end=y + unit * high / 2)


def keep_round(attr: str, old: int, new: int) -> None:
    """Give the view the shape of the plot, whose size the browser reports."""
    size_px[attr] = new
    middle = (plot.x_range.start + plot.x_range.end) / 2, (plot.y_range.start + plot.y_range.end) / 2
    width, height = plot.x_range.end - plot.x_range.start, plot.y_range.end - plot.y_range.start
    look_at(*middle, min(width, 1.25 * height))
    ask_for_image()


def choose_place(attr: str, old: str, new: str) -> None:
    """Travel to a place of the Mandelbrot set."""
    kind.active = MANDELBROT
    look_at(*PLACES[new])


def choose_kind(attr: str, old: int, new: int) -> None:
    """Show the other set, whole."""
    look_at(*(PLACES["The whole set"] if new == MANDELBROT else WHOLE_JULIA))
    ask_for_image()


def choose_seed(event: PointEvent) -> None:
    """Take the clicked point of the Mandelbrot set as the constant of a Julia set."""
    global seed
    if kind.active == MANDELBROT:
        seed = complex(event.x, event.y)
        kind.active = JULIA


def choose_palette(attr: str, old: str, new: str) -> None:
    """Change the colours of the image; the browser has all it needs for that."""
    mapper.palette = shades(new)


def show_whole() -> None:
    """Zoom out as far as there is something to see."""
    look_at(*(PLACES["The whole set"] if kind.active == MANDELBROT else WHOLE_JULIA))


for range_ in (plot.x_range, plot.y_range):
    for edge in ("start", "end"):
        range_.on_change(edge, lambda attr, old, new: ask_for_image())
for side in size_px:
    plot.on_change(side, keep_round)
depth.on_change("value_throttled", lambda attr, old, new: ask_for_image())
place.on_change("value", choose_place)
kind.on_change("active", choose_kind)
palette.on_change("value", choose_palette)
plot.on_event(Tap, choose_seed)
whole.on_click(show_whole)

HINT = "<p>Zoom with the wheel, drag to move. Click a point of the Mandelbrot set to see its Julia set.</p>"
panel = column(
    status,
    kind,
    row(place, palette, sizing_mode="stretch_width"),
    depth,
    whole,
    Div(text=HINT, stylesheets=[TEXT]),
    stylesheets=[PANEL],
)
for control in panel.children:
    control.sizing_mode = "stretch_width"
place.sizing_mode = palette.sizing_mode = "stretch_width"
doc.add_root(column(plot, panel, sizing_mode="stretch_both", stylesheets=[PAGE, FRAME]))
doc.title = "Fractal"
