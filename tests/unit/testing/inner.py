"""A pytest within a test, for files that use the plugin."""

from __future__ import annotations

import bokeh.models
import bokeh.plotting
import pytest

# Imported by now: afterwards pytester takes back what such a run has imported, and the models of bokeh, numpy and the
# like can be imported once only.
from app_server.testing import open_app

__all__ = ["open_app", "run_inner"]


def run_inner(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """The result of these files, run in this process."""
    with open_app(lambda document: document.add_root(bokeh.plotting.figure(tags=[bokeh.models.Div()]))):
        pass  # what is imported by the first application that is opened
    return pytester.runpytest_inprocess("-p", "app_server.testing.plugin", "-p", "no:asyncio", *arguments)
