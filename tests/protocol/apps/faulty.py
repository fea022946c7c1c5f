"""Fails as its argument `fail` says."""

import asyncio
import sys

from bokeh.io import curdoc
from bokeh.models import Div, GlyphRenderer

KINDS = {kind.__name__: kind for kind in (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)}
arguments = curdoc().session_context.request.arguments
kind = arguments.get("fail", [b""])[0].decode()
if kind == "raise":
    raise ValueError("a secret of the application")
if kind == "exit":
    sys.exit(3)
if kind in KINDS:
    raise KINDS[kind]
if kind == "recurse":
    exec("def f(): f()\nf()")
if kind == "later":
    document = curdoc()
    document.add_next_tick_callback(lambda: document.add_root(GlyphRenderer()))
curdoc().add_root(GlyphRenderer() if kind == "incomplete" else Div(name="fine", text="built"))
