"""Two applications below a prefix, one of which fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bokeh.models import Slider

from tests.support.servers.inside import Inside, inside


def fill(document: Any) -> None:
    """A slider."""
    document.add_root(Slider(name="slider", start=0, end=10, value=1))
    document.title = "A slider"


def fail(document: Any) -> None:
    """An application with a fault."""
    raise ValueError("it is broken")


@pytest.fixture(scope="module")
def state() -> Iterator[Inside]:
    """Both of them."""
    with inside({"/app": fill, "/broken": fail}, prefix="/p", allow_websocket_origin=("good.example",)) as served:
        yield served
