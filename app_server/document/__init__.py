"""THE DOOR: the one room that imports bokeh. What it hands out are documents, encoded messages and pages."""
