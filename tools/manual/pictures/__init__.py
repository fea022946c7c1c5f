"""The pictures of the manual, taken of the running product: `make pictures`, or `python -m tools.manual.pictures NAME`.

Each function of `pages`, `console` and `commands` yields pictures: a name, and the bytes of a PNG. They are written to
docs/images/screens with few colors, which makes them a third as large.
"""
