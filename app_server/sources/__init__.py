"""What an application's files say, read without running them and without bokeh: routes, imports, notebooks' code."""
