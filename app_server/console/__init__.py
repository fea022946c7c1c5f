"""The pages of the console for operators: an application like any other, made with Bokeh.

Nothing here asks a process or a socket: what is shown comes from a `Feed`, and what is done goes there.
"""
