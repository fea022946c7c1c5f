"""Documents as JSON and as pages, without a server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from bokeh.document import Document
from bokeh.events import ButtonClick, DocumentReady
from bokeh.models import Button, Div, Slider
from bokeh.plotting import figure

from app_server.document import engine
from app_server.document.ids import current_ids
from app_server.document.pages.standalone import as_json, as_page, is_ours, new_document, python_callbacks

engine.install()


def plotted() -> Any:
    """A document with a plot, as a command makes it."""
    document = new_document()
    token = current_ids.set(document.ids)
    try:
        plot = figure(title="</script><script>alert(1)</script>")
        plot.line([1, 2], [3, 4])
        document.add_root(plot)
        document.title = "A & B"
    finally:
        current_ids.reset(token)
    return document


def test_the_same_document_gives_the_same_text() -> None:
    first, second = plotted(), plotted()
    assert as_json(first) == as_json(second)
    assert as_page(first, resources="cdn") == as_page(second, resources="cdn")


def test_json_is_read_by_bokeh_again_and_is_known_as_ours() -> None:
    text = as_json(plotted(), indent=2)
    read = Document.from_json(json.loads(text))
    assert read.title == "A & B" and read.roots[0].title.text == "</script><script>alert(1)</script>"
    assert is_ours(text) and is_ours(as_json(plotted())) and text.endswith("}\n")


def test_a_page_shows_the_document_and_its_texts_end_no_element() -> None:
    page = as_page(plotted(), resources="cdn")
    assert "<title>A &amp; B</title>" in page and "alert(1)</script>" not in page
    assert len(re.findall(r'<div id="app-server-root-1"', page)) == 1
    assert 'src="https://cdn.bokeh.org/' in page and is_ours(page)


def test_files_come_from_the_server_or_stand_in_the_page() -> None:
    document = plotted()
    assert 'src="https://host/tools/static/js/bokeh' in as_page(
        document, resources="server", server_url="https://host/tools/"
    )
    inline = as_page(document, resources="inline")
    assert not re.search("<(script|link)[^>]* (src|href)=", inline) and len(inline) > 500_000


def test_a_template_of_the_documents_is_filled() -> None:
    document = plotted()
    document.template = "{% block title %}{{ mine }}{% endblock %}"
    document.template_variables["mine"] = "of its own"
    page = as_page(document, resources="cdn")
    assert "of its own" in page and is_ours(page)


@pytest.mark.parametrize("text", ["", "{}", '{"a": 1, "generator": "app-server"}', "<html></html>"])
def test_files_of_others_are_not_taken_for_ours(text: str) -> None:
    assert not is_ours(text)


def test_a_file_that_only_holds_one_of_ours_is_not_taken_for_ours() -> None:
    assert not is_ours(" " * 300 + as_json(plotted()))


def test_what_would_call_python_is_named_once_each() -> None:
    document = new_document()
    sliders = [Slider(start=0, end=1, value=0), Slider(start=0, end=1, value=0)]
    for slider in sliders:
        slider.on_change("value", lambda attr, old, new: None)
        document.add_root(slider)
    button = Button()
    button.on_event(ButtonClick, lambda event: None)
    document.add_root(button)
    document.add_root(Div())
    document.on_event(DocumentReady, lambda event: None)
    document.add_periodic_callback(lambda: None, 100)
    document.add_timeout_callback(lambda: None, 100)
    document.add_timeout_callback(lambda: None, 200)
    assert python_callbacks(document) == [
        "a periodic callback",
        "a timeout callback",
        "Button on button_click",
        "Slider.value",
        "the document on document_ready",
    ]
    assert python_callbacks(new_document()) == []
