"""Whole documents, encoded as bokeh encodes them, and why one cannot be."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bokeh.core.properties import Any as AnyProperty
from bokeh.core.properties import Int
from bokeh.core.property.descriptors import UnsetValueError
from bokeh.core.property.vectorization import field
from bokeh.model import DataModel
from bokeh.models import ColumnDataSource, CustomJS, Div, Range1d, Slider
from bokeh.plotting import figure
from bokeh.themes import Theme

from app_server.apps import load_application
from app_server.document import engine
from app_server.document.encoding.document_encoder import encode_built, encode_document
from app_server.document.served import ServedDocument, new_document
from app_server.errors import ApplicationError
from app_server.jobs.running.pool import JobPool
from app_server.jobs.running.task import Owner
from app_server.jobs.session_jobs import Modules, SessionJobs
from app_server.security.visible_request import VisibleRequest
from app_server.session.context import ApplicationContext, SessionContext
from tests.support.waiting import PATIENCE_S, patience
from tests.unit.document.encoding.making import exact, normal

engine.install()
REPOSITORY = Path(__file__).parents[4]


class Point(DataModel):
    x = Int(default=3)
    other = AnyProperty()


def documents() -> Iterator[Any]:
    """Documents that are filled by hand, and those of all applications that the project ships."""

    def empty(document: ServedDocument) -> None:
        pass

    def plots(document: ServedDocument) -> None:
        plot = figure(title="t", x_range=(0, 10), tooltips=[("x", "@x")])
        plot.scatter("x", "y", source=ColumnDataSource({"x": np.arange(3), "y": pd.Series([1, 2, 3])}), size=field("x"))
        plot.line([1, 2], [3, math.nan])
        document.add_root(plot)

    def themed(document: ServedDocument) -> None:
        document.theme = Theme(
            json={"attrs": {"Plot": {"background_fill_color": "#123456"}, "Axis": {"axis_label": "a"}}}
        )
        plots(document)

    def data_models(document: ServedDocument) -> None:
        document.add_root(Point(other=Range1d(0, 1)))
        document.title = "points"

    def touched(document: ServedDocument) -> None:
        plots(document)
        for model in document.models:
            for name in model.properties():
                with suppress(UnsetValueError):
                    getattr(model, name)

    def js(document: ServedDocument) -> None:
        slider = Slider(start=0, end=1, value=0)
        slider.js_on_change("value", CustomJS(args={"s": slider}, code="1"))
        document.js_on_event("document_ready", CustomJS(code="2"))
        document.add_root(slider)
        document.add_root(Div(text="x", tags=[{"a": (1, 2)}], styles={"color": "red"}))

    for fill in (empty, plots, themed, data_models, touched, js):
        yield pytest.param(fill, id=fill.__name__)
    shipped = [REPOSITORY / "examples", REPOSITORY / "examples" / "seed", REPOSITORY / "bench" / "apps"]
    for folder in shipped:
        for path in sorted(folder.iterdir()):
            if path.suffix == ".py" or (path / "main.py").is_file():
                yield pytest.param(path, id=str(path.relative_to(REPOSITORY)))


@contextmanager
def built(source: Any) -> Iterator[ServedDocument]:
    """A document that is filled like this; in the end its session's threads end, and then it is destroyed."""
    document = new_document("A" * 44)
    application = None if callable(source) else load_application(source, [])
    context = ApplicationContext("/", list)
    jobs = SessionJobs(JobPool(), Owner("/", "A" * 44, "A" * 44), document, modules=Modules())
    session_context = SessionContext("A" * 44, context.server_context, document, VisibleRequest(), {}, jobs=jobs)
    document.attach_context(session_context)
    threads = set(threading.enumerate())
    try:
        with document.at_work():
            if application is None:
                source(document)
            else:
                application.hooks.on_session_created(session_context)
                application.build(document)
        yield document
    finally:
        for callback in document.ending_callbacks():
            callback(session_context)
        jobs.end()
        wait_for_end(set(threading.enumerate()) - threads)
        document.destroy()


def wait_for_end(threads: set[threading.Thread]) -> None:
    """Return when these threads have ended: once their document is destroyed, their module's names are gone."""
    for thread in threads:
        thread.join(patience(PATIENCE_S))
        assert not thread.is_alive(), thread.name


@pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehDeprecationWarning")
@pytest.mark.parametrize("source", list(documents()))
def test_document_is_encoded_as_bokeh_does(source: Any) -> None:
    with built(source) as document:
        for inline in (False, True):
            content, binary = encode_document(document, inline=inline)
            found = normal(json.loads(content)["doc"], {ident: bytes(payload) for ident, payload in binary})
            with document.at_work():
                stocks: Any = document.to_json(deferred=not inline)
            expected = normal(stocks if inline else stocks.content, {})
            assert exact(found) == exact(expected)


@pytest.mark.parametrize("container", [[], {}])
def test_value_that_holds_itself_is_named_and_holds_up_no_other(container: Any) -> None:
    if isinstance(container, list):
        container.append(container)
    else:
        container["itself"] = container
    document = new_document("session")
    with document.at_work():
        document.add_root(Div(name="looped", tags=[container]))
    with pytest.raises(ApplicationError) as failed:
        encode_built(document)
    assert str(failed.value) == (
        "Div (name 'looped').tags holds itself, or is nested too deeply to be sent to a browser."
        " Correct the application's code"
    )
