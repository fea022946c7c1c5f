"""The document's title, set before, in a callback, twice, and to what it is."""

from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc

document = curdoc()
document.title = "Früher & „danach“ <b>"
text = TextInput(name="text")
said = Div(name="said", text="")


def entitle(attr, old, new):
    document.title = new
    document.title = new
    document.title = f"{new} (2)"
    said.text = document.title


text.on_change("value", entitle)
document.add_root(text)
document.add_root(said)
