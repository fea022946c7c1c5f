"""Prints, and does to the output what the text field says."""

import io
import os
import sys

from bokeh.models import Div, TextInput
from bokeh.plotting import curdoc


class Broken(io.StringIO):
    """An output that cannot be flushed."""

    def flush(self) -> None:
        """Raise."""
        raise OSError("nothing goes there")


print("x" * 100)


def tell(attr: str, old: str, new: str) -> None:
    print("y" * 100_000)
    sys.stdout.flush()
    seen.text = f"{os.getpid()} {new}"
    if new == "none":
        sys.stdout = sys.stderr = None
    elif new == "closed":
        sys.stdout.close()
    elif new == "broken":
        sys.stdout = Broken()


field = TextInput(name="field")
field.on_change("value", tell)
seen = Div(name="seen", text="")
curdoc().add_root(field)
curdoc().add_root(seen)
