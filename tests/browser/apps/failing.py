"""Fails in the way that its address asks for."""

import sys

from bokeh.models import Div
from bokeh.plotting import curdoc

SECRET_WORD = "open-sesame"
arguments = curdoc().session_context.request.arguments


def fail(password: str) -> None:
    raise RuntimeError(f"cannot go on with {password}")


if "raise" in arguments:
    fail(SECRET_WORD)
if "exit" in arguments:
    sys.exit(3)
text = Div(text="all is well", name="text")
curdoc().add_root(text)
