"""How many people an application carries: a browser that draws nothing, people who use it, and how many there may be.

Nothing here imports bokeh: the process that makes the load must not be the slower end.
"""
