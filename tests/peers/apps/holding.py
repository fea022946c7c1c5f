"""Changes that are held back, combined or collected, and let go, in the same callback or a later one."""

from bokeh.models import Button, ColumnDataSource, Div, Slider
from bokeh.plotting import curdoc

document = curdoc()
slider = Slider(start=0, end=100, value=0, name="slider")
source = ColumnDataSource({"x": [0]}, name="source")
said = Div(name="said", text="")
names = ("combine", "collect", "begin", "release", "title")
buttons = {name: Button(label=name, name=name) for name in names}


def work(replace=True):
    for number in range(4):
        slider.value = slider.value + 1
        source.stream({"x": [number]})
        said.text = f"{number}"
    source.patch({"x": [(0, 9)]})
    if replace:  # last of a hold: the stock server sends rows twice that are streamed into columns set before
        source.data = {"x": [1, 2]}
    document.title = f"{slider.value}"


def held(policy):
    document.hold(policy)
    work()
    document.unhold()


def begin():
    document.hold()
    work(replace=False)


def hold_title():
    document.hold("collect")
    slider.title = "held"
    document.title = "held too"


buttons["combine"].on_click(lambda: held("combine"))
buttons["collect"].on_click(lambda: held("collect"))
buttons["begin"].on_click(begin)
buttons["release"].on_click(document.unhold)
buttons["title"].on_click(hold_title)
for root in (slider, source, said, *buttons.values()):
    document.add_root(root)
