"""Components of Panel's with JavaScript of their own, such as all of panel-material-ui: a model holds their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app_server.testing.outline import is_a


def holder(model: Any, values: Mapping[str, Any]) -> Any:
    """The model that has these properties: the component's own, or that of its values."""
    there = set(model.properties())
    return model.data if has_values(model) and not values.keys() <= there else model


def has_values(model: Any) -> bool:
    """Whether it is such a component."""
    return is_a(getattr(model, "data", None), "DataModel")


def is_button(model: Any) -> bool:
    """Whether it is there to be clicked, and knows how often it was."""
    return has_values(model) and "clicks" in model.data.properties()


def is_switch(model: Any) -> bool:
    """Whether a click turns its value over."""
    return has_values(model) and isinstance(getattr(model.data, "value", None), bool)


def is_field(model: Any) -> bool:
    """Whether it is typed into."""
    return has_values(model) and "value_input" in model.data.properties()


def takes_files(model: Any) -> bool:
    """Whether it is a file input of panel-material-ui."""
    return has_values(model) and {"accept", "mime_type"} <= model.data.properties()
