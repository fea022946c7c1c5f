"""A server that keeps the objects of a Bokeh application in Python and in the browser in sync."""

__version__ = "0.1.0"
