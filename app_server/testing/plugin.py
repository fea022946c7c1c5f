"""The pytest plugin: the fixture `open_app`. Nothing of the server or of bokeh is imported before a test needs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from app_server.testing.tab import OpenApp


@pytest.fixture
def open_app(request: pytest.FixtureRequest) -> Iterator[Callable[..., OpenApp]]:
    """`app_server.testing.open_app`, whose applications stop at the end of the test.

    A relative path begins at the folder of the test's file.
    """
    from app_server.testing.opening import open_app

    with ExitStack() as stack:

        def opened(source: Any, **options: Any) -> OpenApp:
            __tracebackhide__ = True
            if isinstance(source, str | os.PathLike):
                source = _from_here(request.path.parent / source)
            return stack.enter_context(open_app(source, **options))

        yield opened


def _from_here(path: Path) -> str:
    """The path as errors are to show it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
