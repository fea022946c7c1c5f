"""A table over a view whose filters the page chooses; cells that the page edits."""

from bokeh.models import (
    BooleanFilter,
    Button,
    CDSView,
    ColumnDataSource,
    CustomJSFilter,
    DataTable,
    DateFormatter,
    Div,
    GroupFilter,
    IndexFilter,
    IntEditor,
    InversionFilter,
    NumberFormatter,
    Select,
    SelectEditor,
    TableColumn,
    UnionFilter,
)
from bokeh.plotting import curdoc

SORTS = ["pear", "plum", "pear", "fig"]
source = ColumnDataSource({"sort": SORTS, "count": [1, 2, 3, 4], "day": [0, 86_400_000, None, 3]}, name="source")
filters = {
    "index": IndexFilter([0, 2]),
    "boolean": BooleanFilter([True, False, True, True]),
    "group": GroupFilter(column_name="sort", group="plum"),
    "script": CustomJSFilter(code="return source.data.count.map((n) => n > limit.tags[0])"),
}
filters["script"].args = {"limit": filters["index"]}
filters["inverted"] = InversionFilter(operand=filters["group"])
filters["either"] = UnionFilter(operands=[filters["group"], filters["index"]])
filters["both"] = filters["group"] & filters["boolean"]
view = CDSView(name="view")
columns = [
    TableColumn(field="sort", title="Sort", editor=SelectEditor(options=sorted(set(SORTS)))),
    TableColumn(field="count", title="Count", editor=IntEditor(step=1), formatter=NumberFormatter(format="0.0")),
    TableColumn(field="day", title="Day", formatter=DateFormatter(nan_format="-")),
]
table = DataTable(source=source, view=view, columns=columns, editable=True, name="table")
choice = Select(options=[*filters], name="choice")
said = Div(name="said")
drop = Button(label="Drop a column", name="drop")


def choose(attr, old, new):
    view.filter = filters[new]
    said.text = f"{old} -> {new}"


def count(attr, old, new):
    said.text += f" | sum {sum(new['count'])}"


def drop_column():
    table.columns = table.columns[:-1]
    table.columns[0].title = "What"


choice.on_change("value", choose)
source.on_change("data", count)
source.selected.on_change("indices", lambda attr, old, new: said.update(text=f"{old} {new}"))
drop.on_click(drop_column)
for root in (table, choice, said, drop):
    curdoc().add_root(root)
