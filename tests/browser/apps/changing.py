"""A document that changes shape: roots, title, new models, changes held back, a hundred changes at once."""

from bokeh.layouts import column, row
from bokeh.models import Button, CustomJS, Div, PreText, Slider
from bokeh.plotting import curdoc, figure

document = curdoc()
box = column(Div(text="the first", name="first"), name="box")
slider = Slider(name="slider", start=0, end=100, value=0)
log = PreText(name="log", text="")
plot = figure(width=300, height=200, name="plot", title="plain")
lines = [plot.line([0, 1], [i, i + 1]) for i in range(50)]
added: list[Div] = []


def note(text: str) -> None:
    log.text += f"{text}; "


def add_root() -> None:
    added.append(Div(text=f"root {len(added)}", name=f"root-{len(added)}"))
    document.add_root(added[-1])


def remove_root() -> None:
    document.remove_root(added.pop())


def add_plot() -> None:
    new = figure(width=200, height=150, name="new-plot", title=f"at {slider.value}")
    new.scatter([1, 2, 3], [1, 2, 3])
    follower = Slider(name="follower", start=0, end=100, value=1, title="made by Python")
    box.children = [*box.children, new, follower]


def change_hundred() -> None:
    for index, line in enumerate(lines):
        line.glyph.line_color = f"#{255 - index:02x}{4 * index:02x}40"
        line.glyph.line_width = 1 + index % 5


def hold() -> None:
    document.hold("combine")
    for value in range(1, 6):
        slider.value = 10 * value
    plot.title.text = "held"
    note("held")


def unhold() -> None:
    document.unhold()


def noted_children(attr: str, old: object, new: list[object]) -> None:
    note(f"children {len(new)}")
    latest = new[-1]
    if isinstance(latest, Slider):
        latest.on_change("value", lambda attr, old, new: note(f"{latest.name} {new}"))
        latest.title = "Python has seen it"  # changed before any other client can know of it


def moved(attr: str, old: int, new: int) -> None:
    note(f"slider {new}")
    slider.value = min(new, 50)


box.on_change("children", noted_children)
slider.on_change("value", moved)
document.on_change(lambda event: note(f"title {event.title}") if getattr(event, "kind", "") == "TitleChanged" else None)
actions = {
    "Add root": add_root,
    "Remove root": remove_root,
    "Add plot": add_plot,
    "Hundred": change_hundred,
    "Hold": hold,
    "Unhold": unhold,
    "Title": lambda: setattr(document, "title", "Another title"),
}
buttons = [Button(label=label, width=90) for label in actions]
for button, function in zip(buttons, actions.values(), strict=True):
    button.on_click(function)
maker = Button(label="Browser makes", width=90)
maker.js_on_click(
    CustomJS(
        args={"box": box},
        code="""
            const {Slider} = Bokeh.Models
            const made = new Slider({name: "browser-made", start: 0, end: 9, value: 3})
            box.children = [...box.children, made]
        """,
    )
)
document.title = "Changing"
document.add_root(column(row(*buttons, maker), row(plot, column(slider, box)), log))
