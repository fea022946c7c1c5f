"""The server's own words in a page."""

from __future__ import annotations

import json

from bokeh.document import Document
from bokeh.models import Div

from app_server.document import engine
from app_server.document.pages.notice import fill_notice, replaced_notice

engine.install()


def test_a_page_finds_its_elements_and_the_first_one_says_it() -> None:
    document = Document()
    fill_notice(document, ["p1001", "p1002", "other"], "<b>It has ended</b>")
    assert [(root.id, root.text) for root in document.roots] == [  # type: ignore[attr-defined]
        ("p1001", "<b>It has ended</b>"), ("p1002", ""), ("other", ""),
    ]  # fmt: skip


def test_a_page_without_elements_shows_nothing() -> None:
    document = Document()
    fill_notice(document, [], "<b>It has ended</b>")
    assert document.roots == []


def test_what_is_added_is_a_root_that_a_page_can_read_and_each_has_its_own_id() -> None:
    first, second = (json.loads(replaced_notice("</script>")[0]) for _ in range(2))
    (event,) = first["events"]
    assert event["kind"] == "RootAdded" and event["model"]["attributes"] == {"text": "</script>"}
    assert event["model"]["id"] != second["events"][0]["model"]["id"]
    document = Document()
    document.apply_json_patch(first)
    assert isinstance(document.roots[0], Div)
