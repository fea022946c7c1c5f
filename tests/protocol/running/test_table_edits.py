"""Edits of Panel's tables, which the browser tells of in two messages: an event, and the value."""

from __future__ import annotations

import html
from collections.abc import Iterator

import pytest

from tests.support.client import Client, Site
from tests.support.server import RunningServer, running_server

APP = """\
import pandas as pd
import panel as pn

pn.extension("tabulator")
table = pn.widgets.Tabulator(pd.DataFrame({"number": [0.0, 1.0], "name": ["a", "b"]}), show_index=False)
heard = pn.pane.Str("heard:")
table.on_edit(lambda edit: heard.param.update(object=f"{heard.object} {edit.column} {edit.row} {edit.value};"))
pn.Column(table, heard).servable()
"""
NAN = {"type": "number", "value": "nan"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An application with a table."""
    app = tmp_path_factory.mktemp("table") / "table.py"
    app.write_text(APP, encoding="utf-8")
    with running_server(app) as started:
        yield started


def messages(client: Client, column: str, value: object) -> list[dict[str, object]]:
    """The event of an edit in the second row, and the change of the data."""
    table, attributes = next(pair for pair in client.attributes.items() if "configuration" in pair[1])
    cell = {"column": column, "row": 1, "value": value, "old": 1.0}
    entries = [["model", {"id": table}], *map(list, cell.items())]
    edit = {"type": "event", "name": "table-edit", "values": {"type": "map", "entries": entries}}
    patches = {"type": "map", "entries": [[column, [[1, value]]]]}
    return [
        {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": edit},
        {"kind": "ColumnsPatched", "model": {"id": attributes["source"]["id"]}, "attr": "data", "patches": patches},
    ]


@pytest.mark.parametrize("order", ["event first", "value first", "both at once"])
def test_application_hears_of_each_edit_once(server: RunningServer, order: str) -> None:
    expected = "heard:"
    with Site(server.url).client("/table") as client:
        for column, value, shown in (
            ("number", 41.0, "41.0"), ("number", NAN, "nan"), ("name", "c", "c"), ("number", 42.0, "42.0"),
        ):  # fmt: skip
            event, change = messages(client, column, value)
            first, second = (change, event) if order == "value first" else (event, change)
            client.send("PATCH-DOC", {"events": [first]})
            if order != "both at once":
                client.request("PULL-DOC-REQ")
            client.send("PATCH-DOC", {"events": [second]})
            expected += f" {column} 1 {shown};"
            wait_for_text(client, expected)


def wait_for_text(client: Client, text: str) -> None:
    """Return when the page is to show exactly this."""

    def is_shown() -> bool:
        texts = (html.unescape(str(attributes.get("text", ""))) for attributes in client.attributes.values())
        return any(f"<pre>{text}</pre>" in each for each in texts)

    client.wait_for(is_shown)
