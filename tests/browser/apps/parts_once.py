"""A table that is there from the start, in an application that can be started once for all sessions."""

from bokeh.io import curdoc
from bokeh.models import ColumnDataSource, DataTable, TableColumn

source = ColumnDataSource({"fruit": ["fig", "kiwi"]})
curdoc().add_root(DataTable(source=source, columns=[TableColumn(field="fruit", title="fruit")], width=300))
