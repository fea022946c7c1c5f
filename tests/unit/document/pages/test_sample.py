"""What the warmup fills documents with."""

from __future__ import annotations

import json
import warnings

from bokeh.models.widgets import Slider

from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_document
from app_server.document.pages.sample import fill_sample, make_one_of_each
from app_server.document.served import new_document

engine.install()


def test_a_sample_is_whole_and_its_slider_changes_another_model() -> None:
    document = new_document("session")
    with document.at_work():
        fill_sample(document)
    content, _ = encode_document(document)
    names = [kind["name"] for kind in _objects(json.loads(content))]
    assert {"Figure", "DataTable", "HoverTool", "Slider", "Button", "LogScale"} <= set(names)
    slider = document.get_model_by_name("slider")
    assert isinstance(slider, Slider)
    with document.at_work():
        slider.value = 7
    encoded = encode_document(document)[0].decode()
    assert '"text":"7"' in encoded and document.roots[0].document is document


def test_one_of_each_model_is_made_without_a_word() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_one_of_each()


def _objects(value: object) -> list[dict[str, str]]:
    """All that is described as a model."""
    if isinstance(value, dict):
        inner = [found for each in value.values() for found in _objects(each)]
        return [value, *inner] if value.get("type") == "object" else inner
    return [found for each in value for found in _objects(each)] if isinstance(value, list) else []
