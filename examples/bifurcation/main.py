"""Order and chaos of the logistic map: a job in a process of its own, with a progress bar and a button that cancels it.

The server answers other visitors meanwhile. The job has a name: a page that comes back finds it again. If the server
was killed with the job, the page that comes back says how far it was, and begins again.
"""

from bokeh.layouts import column, row
from bokeh.models import (
    Button,
    ColumnDataSource,
    DataRange1d,
    Div,
    GlobalInlineStyleSheet,
    InlineStyleSheet,
    RangeSlider,
    Select,
)
from bokeh.plotting import curdoc, figure
from orbits import Diagram, diagram

from app_server.jobs import Job, JobError, find, submit

NAME = "diagram"
QUALITIES = {"A sketch": (240, 40), "Fine": (600, 150), "As fine as it gets": (1800, 1500)}
PAPER, INK, MUTED, ACCENT = "#0f141b", "#e8edf2", "#93a1b0", "#ffb454"

PAGE = GlobalInlineStyleSheet(css=f"body {{ background: {PAPER}; margin: 0; }}")
TEXT = InlineStyleSheet(
    css=f"""
    :host {{ color: {INK}; font: 14px/1.5 system-ui, sans-serif; }}
    h1 {{ margin: 0; font-size: 26px; }}
    p {{ margin: 4px 0 0; color: {MUTED}; max-width: 60ch; }}
    .bk-clearfix {{ width: 100%; }}
    .bar {{ height: 8px; border-radius: 4px; background: #ffffff1a; overflow: hidden; }}
    .bar div {{ height: 100%; background: {ACCENT}; }}
    """
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host, .bk-slider-title, .bk-slider-value {{ color: {INK}; }}
    .bk-input {{ background-color: #ffffff14; color: {INK}; border-color: #ffffff33; }}
    .bk-input option {{ color: #111; }}
    """
)

document = curdoc()
document.title = "Bifurcation"
head = Div(
    text="<h1>Bifurcation</h1><p>x becomes r·x·(1 − x), again and again. For small r it settles; then between two"
    " values, four, eight, and soon everywhere and nowhere.</p>",
    sizing_mode="stretch_width", stylesheets=[TEXT],
)  # fmt: skip
part = RangeSlider(name="part", title="r", start=2.5, end=4.0, step=0.01, value=(2.8, 4.0), stylesheets=[CONTROL])
quality = Select(name="quality", options=list(QUALITIES), value="Fine", stylesheets=[CONTROL], width=170)
start = Button(name="start", label="Compute", button_type="primary", width=110)
cancel = Button(name="cancel", label="Cancel", disabled=True, width=110)
bar = Div(name="bar", sizing_mode="stretch_width", stylesheets=[TEXT])
note = Div(name="note", sizing_mode="stretch_width", stylesheets=[TEXT])
image = ColumnDataSource(name="image", data={"image": [], "x": [], "dw": []})
plot = figure(
    x_axis_label="r", y_axis_label="x", x_range=DataRange1d(range_padding=0), y_range=(0, 1),
    height=480, sizing_mode="stretch_width", tools="pan,reset,save",
    background_fill_color=PAPER, border_fill_color=PAPER, outline_line_color=None, name="plot",
)  # fmt: skip
plot.image("image", x="x", y=0, dw="dw", dh=1, source=image, palette="Inferno256")
plot.grid.visible = False
plot.toolbar.logo = None
plot.axis.axis_label_text_color = plot.axis.major_label_text_color = MUTED

job: Job | None = None
story = ""
"""What the note says first while a job runs."""


def show_bar(fraction: float | None) -> None:
    """Draw the progress bar; None for an empty one."""
    bar.text = f'<div class="bar"><div style="width: {100 * (fraction or 0):.1f}%"></div></div>'


def working(at_work: bool) -> None:
    """Let only those buttons be clicked that make sense."""
    start.disabled, cancel.disabled = at_work, not at_work


def show(made: Diagram) -> None:
    """Draw a diagram."""
    image.data = {"image": [made.shades], "x": [made.low], "dw": [made.high - made.low]}


def begin(words: str = "") -> None:
    """Submit the job; what it needs is read now, so the sliders may move meanwhile."""
    global job, story
    low, high = part.value
    try:
        job = submit(diagram, low, high, *QUALITIES[quality.value], where="process", name=NAME, **callbacks)
    except JobError as error:
        note.text = f"<p>{error.what}</p>"
        return
    story = words
    working(True)
    show_bar(0)
    note.text = f"<p>{story}queued</p>"


def on_progress(fraction: float | None, text: str) -> None:
    """Show how far it is."""
    show_bar(fraction)
    note.text = f"<p>{story}{text or 'begun'}</p>"


def on_result(made: Diagram) -> None:
    """Draw what was computed."""
    working(False)
    show(made)
    note.text = f"<p>{made.shades.shape[1]} columns, each with its own orbits</p>"


def on_error(error: BaseException) -> None:
    """Say why nothing is drawn."""
    working(False)
    note.text = f"<p>It failed: {error}</p>"


def on_cancel() -> None:
    """Be ready for the next one."""
    working(False)
    show_bar(None)
    note.text = "<p>cancelled</p>"


def on_lost(lost: Job) -> None:
    """Begin again: the server was killed, and the job with it."""
    begin(f"The server was restarted at {100 * (lost.fraction or 0):.0f} %, so it begins again: ")


def stop() -> None:
    """Cancel the job."""
    if job is not None:
        job.cancel()


callbacks = {"on_progress": on_progress, "on_result": on_result, "on_error": on_error, "on_cancel": on_cancel}
start.on_click(lambda: begin())
cancel.on_click(stop)
job = find(NAME, **callbacks, on_lost=on_lost)
if job is None:
    show(diagram(2.8, 4.0, *QUALITIES["A sketch"]))
    show_bar(None)
    note.text = "<p>a sketch; compute a finer one</p>"
working(job is not None and not job.over)

document.add_root(
    column(
        head, row(part, quality, start, cancel, sizing_mode="stretch_width", styles={"flex-wrap": "wrap"}), bar, note,
        plot,
        sizing_mode="stretch_width", spacing=12, margin=(24, 24, 24, 24), stylesheets=[PAGE],
    )  # fmt: skip
)
