"""Says what happened to the sessions before it, and what happens at its own end."""

import diary
from bokeh.models import Button, Div
from bokeh.plotting import curdoc

document = curdoc()
said = Div(text="", name="said")
name = document.session_context.request.arguments["who"][0].decode()
end = Button(name="end")
look = Button(name="look")


def note_end(session_context, name=name, lines=diary.lines):  # the stock server has emptied the module by then
    lines.append(f"{name} ended")


document.on_session_destroyed(note_end)
end.on_click(lambda: document.session_context.session.request_expiration())
look.on_click(lambda: said.update(text=", ".join(diary.lines)))
for root in (said, end, look):
    document.add_root(root)
