"""Measurements of app-server against `bokeh serve`, side by side in one run: `python -m bench.run`."""
