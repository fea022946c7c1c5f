"""A page under the Content-Security-Policy of its argument; its button runs JavaScript that is made of text."""

from bokeh.models import Button, CustomJS
from bokeh.plotting import curdoc

button = Button(label="press")
button.js_on_event("button_click", CustomJS(code="document.title = 'clicked'"))
document = curdoc()
document.template_variables["policy"] = document.session_context.request.arguments["policy"][0].decode()
document.add_root(button)
