"""With threads for its callbacks: two slow ones run side by side, and each finds its document."""

import threading

import panel as pn

pn.extension(nthreads=4)

go_on = threading.Event()
release = pn.widgets.Button(name="go on")
release.on_click(lambda event: go_on.set())
slow = [pn.widgets.Button(name=f"slow {number}") for number in range(2)]
states = [pn.pane.Str("-", css_classes=[f"slow-{number}"]) for number in range(2)]


def make(number: int):
    def run(event: object) -> None:
        states[number].object = "begun"
        go_on.wait(60)
        elsewhere = threading.current_thread() is not threading.main_thread()
        states[number].object = f"done elsewhere={elsewhere} document={pn.state.curdoc is not None}"

    return run


for number, button in enumerate(slow):
    button.on_click(make(number))
loaded = pn.pane.Str("-", css_classes=["loaded"])
pn.state.onload(lambda: setattr(loaded, "object", "loaded"), threaded=True)
pn.Column(*slow, release, *states, loaded).servable()
