"""A harmonograph, whose drawings outlive the server: saved sessions, an album, and a link to this view.

Two pendulums move a pen. Serve it with `--store FOLDER`, make a drawing, kill the server and start it again: the page
comes back as it was. The album is in `session_context.state`, a link is made by `session_context.bookmark`, and the
hooks of `app_hooks.py` say how long you were away.
"""

from html import escape
from math import pi

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, Div, GlobalInlineStyleSheet, InlineStyleSheet, Select, Slider
from bokeh.plotting import curdoc, figure

INTERVALS = {"Unison, 1 : 1": (1, 1), "Third, 4 : 5": (4, 5), "Fourth, 3 : 4": (3, 4), "Fifth, 2 : 3": (2, 3),
             "Octave, 1 : 2": (1, 2)}  # fmt: skip
POINTS, SWINGS = 8_000, 20
THUMBNAIL_POINTS, THUMBNAIL_SWINGS = 300, 5
PLACES = 6  # of the album
DAY_S = 86_400
PAPER, INK, MUTED, BLUE = "#fbf7ef", "#1f2430", "#767164", "#2a4d8f"

doc = curdoc()
doc.title = "Harmonograph"
context = doc.session_context
# What the application keeps of its own: it is saved with the session, and here again when the session is restored.
state = getattr(context, "state", {})  # other servers have none
state.setdefault("album", [])

PAGE = GlobalInlineStyleSheet(css=f"body {{ background: {PAPER}; }}")
SHELL = InlineStyleSheet(
    css=":host { max-width: 1240px; margin: 0 auto; padding: 28px clamp(14px, 3vw, 40px); box-sizing: border-box; }"
)
TEXT = InlineStyleSheet(
    css=f"""
    :host {{ color: {INK}; font: 15px/1.5 Georgia, serif; overflow-wrap: anywhere; }}
    h1 {{ margin: 0 0 4px; font-size: 30px; font-weight: 400; line-height: 1.15; }}
    p {{ margin: 0; color: {MUTED}; }}
    a {{ color: {BLUE}; }}
    """
)
CONTROL = InlineStyleSheet(
    css=f"""
    :host {{ color: {MUTED}; font-family: Georgia, serif; }}
    .bk-btn {{ background: {INK} !important; color: {PAPER} !important; border: 0; border-radius: 4px;
               padding: 9px 16px; font: 14px Georgia, serif; cursor: pointer; }}
    .bk-btn[disabled] {{ opacity: .35; cursor: default; }}
    """
)

curve = ColumnDataSource({"x": [], "y": []}, name="curve")
album = ColumnDataSource({"xs": [], "ys": [], "number": []}, name="album")

paper = figure(
    x_range=(-2.1, 2.1), y_range=(-2.1, 2.1), height=640, sizing_mode="stretch_width", tools="", match_aspect=True,
    min_border=0, name="paper", styles={"flex": "3 1 420px", "min-width": "0"},
)  # fmt: skip
paper.line("x", "y", source=curve, line_color=BLUE, line_width=1.1, line_alpha=0.8)

strip = figure(
    x_range=(-0.5, PLACES - 0.5), y_range=(-0.5, 0.5), height=80, sizing_mode="stretch_width", tools="tap",
    min_border=0, name="strip",
)  # fmt: skip
strip.multi_line("xs", "ys", source=album, line_color=INK, line_width=0.8, nonselection_alpha=0.5)
for plot in (paper, strip):
    plot.axis.visible = False
    plot.grid.visible = False
    plot.update(background_fill_color=PAPER, border_fill_color=PAPER, outline_line_color=None, toolbar_location=None)

intro = Div(
    text="<h1>Harmonograph</h1><p>Two pendulums move a pen. Each drawing that you keep is one click away.</p>",
    stylesheets=[TEXT],
)
interval = Select(
    title="Interval", options=list(INTERVALS), value="Fifth, 2 : 3", stylesheets=[CONTROL], name="interval"
)
detune = Slider(title="Out of tune", start=0, end=0.03, step=0.001, value=0.006, format="0.000", name="detune")
phase = Slider(title="Phase", start=0, end=1, step=0.01, value=0.25, name="phase")
friction = Slider(title="Friction", start=0, end=0.02, step=0.001, value=0.006, format="0.000", name="friction")
for slider in (detune, phase, friction):
    slider.update(bar_color=BLUE, stylesheets=[CONTROL])
keep = Button(label="Keep this drawing", stylesheets=[CONTROL], name="keep")
share = Button(label="Link to this view", stylesheets=[CONTROL], name="share")
revoke = Button(label="Revoke the link", stylesheets=[CONTROL], name="revoke", disabled="link" not in state)
note = Div(stylesheets=[TEXT], name="note")


def pen(view: dict, points: int, swings: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the way of the pen for what the controls say: x and y, each from -2 to 2."""
    first, second = INTERVALS[view["interval"]]
    time = np.linspace(0, 2 * pi * swings, points)
    swing = np.exp(-view["friction"] * time)
    x = swing * (np.sin(first * time) + np.sin((second + view["detune"]) * time + 2 * pi * view["phase"]))
    y = swing * (np.cos(first * time) - np.cos((second + view["detune"]) * time))
    return x, y


def shown() -> dict:
    """Return what the controls say, in plain values: the state holds nothing else."""
    return {"interval": interval.value, "detune": detune.value, "phase": phase.value, "friction": friction.value}


def draw() -> None:
    """Draw what the controls say."""
    x, y = pen(shown(), POINTS, SWINGS)
    curve.data = {"x": x, "y": y}


def show_album() -> None:
    """Draw the kept drawings side by side."""
    kept = [pen(view, THUMBNAIL_POINTS, THUMBNAIL_SWINGS) for view in state["album"]]
    xs = [place + 0.2 * x for place, (x, _) in enumerate(kept)]
    ys = [0.2 * y for _, y in kept]
    album.data = {"xs": xs, "ys": ys, "number": list(range(len(kept)))}


def keep_drawing() -> None:
    """Put the drawing into the album, in place of the oldest one if it is full."""
    state["album"] = [*state["album"], shown()][-PLACES:]
    show_album()


def choose(attr: str, old: list[int], new: list[int]) -> None:
    """Take the controls back to a kept drawing."""
    if new:
        view = state["album"][new[0]]
        interval.value, detune.value = view["interval"], view["detune"]
        phase.value, friction.value = view["phase"], view["friction"]


def make_link() -> None:
    """Make a link that opens a copy of this session as it is now, for a day and for anyone; the one before ends."""
    revoke_link()
    try:
        link = context.bookmark(ttl=DAY_S, anyone=True)
    except Exception as error:  # the server saves no sessions, for example
        note.text = f"<p>{escape(str(error))}</p>"
        return
    state["link"] = link
    revoke.disabled = False
    note.text = f'<p>For one day, <a href="{escape(link)}" target="_blank">this link</a> opens a copy for anyone.</p>'


def revoke_link() -> None:
    """Let the last link lead nowhere, also if it was made before the server was started again."""
    link = state.pop("link", None)
    revoke.disabled = True
    if link is not None:
        context.revoke_bookmark(link)
        note.text = "<p>The link is revoked.</p>"


# When a session is restored, this is called for the controls that were moved, as if someone moved them again.
for control in (interval, detune, phase, friction):
    control.on_change("value", lambda attr, old, new: draw())
album.selected.on_change("indices", choose)
keep.on_click(keep_drawing)
share.on_click(make_link)
revoke.on_click(revoke_link)
draw()
show_album()

side = column(
    intro,
    interval,
    detune,
    phase,
    friction,
    row(keep, share, revoke, styles={"flex-wrap": "wrap"}),
    note,
    strip,
    sizing_mode="stretch_width",
    styles={"flex": "1 1 320px", "gap": "14px", "min-width": "0"},
)
for child in side.children:
    child.sizing_mode = "stretch_width"
doc.add_root(
    row(
        side,
        paper,
        sizing_mode="stretch_width",
        styles={"flex-wrap": "wrap", "gap": "32px"},
        stylesheets=[PAGE, SHELL],
    )
)
