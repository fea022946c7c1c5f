"""A component of the application's own: with a template in HTML, one as a module of JavaScript, and a style sheet."""

from pathlib import Path

import panel as pn
import param
from panel.custom import JSComponent, ReactiveHTML

pn.extension()


class Counter(JSComponent):
    """Counts its clicks, in JavaScript and in Python."""

    clicks = param.Integer(default=0)
    _esm = """
    export function render({ model }) {
      const button = document.createElement("button")
      button.className = "clicker"
      const draw = () => { button.textContent = `clicked ${model.clicks}` }
      button.onclick = () => { model.clicks += 1 }
      model.on("clicks", draw)
      draw()
      return button
    }
    """


class Light(ReactiveHTML):
    """Is lit by a click; its helper script and style sheet lie beside this file."""

    __javascript__ = [str(Path(__file__).parent / "component_assets" / "lamp.js")]

    lit = param.Boolean(default=False)
    _template = '<div id="lamp" class="lamp" onclick="${script(\'flip\')}">lamp</div>'
    _scripts = {"flip": "data.lit = !data.lit", "lit": "lamp.textContent = data.lit ? 'lit' : 'dark'"}


counter, light = Counter(), Light(width=100, height=30)
shown = pn.pane.Str("-", css_classes=["shown"])
counter.param.watch(lambda event: setattr(shown, "object", f"Python counts {event.new}"), "clicks")
light.param.watch(lambda event: setattr(shown, "object", f"Python sees {event.new}"), "lit")
twice = pn.widgets.Button(name="ten more")
twice.on_click(lambda event: counter.param.update(clicks=counter.clicks + 10))
pn.Column(counter, light, twice, shown).servable(title=Path(__file__).stem)
