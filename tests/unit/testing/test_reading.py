"""What a test reads of a page, and why a widget cannot be used."""

from __future__ import annotations

from typing import Any

import pytest
from bokeh.layouts import column
from bokeh.models import Button, Div, TabPanel, Tabs

from app_server.testing import CannotDo, open_app


def page(document: Any) -> None:
    """Two buttons, one of them in a column that can be hidden."""
    document.title = "A title"
    document.session_context.state["seen"] = 1
    box = column(Button(label="Inside", name="inside"), name="box")
    hide = Button(label="Hide", name="hide")
    hide.on_click(lambda: box.update(visible=False))
    late = Tabs(tabs=[TabPanel(title="a", child=Div()), TabPanel(title="b", child=column(Div(name="deep")))])
    for root in (hide, box, late):
        document.add_root(root)


def test_title_state_and_documents_are_those_of_the_session() -> None:
    with open_app(page) as app:
        assert (app.title, app.state, app.errors) == ("A title", {"seen": 1}, [])
        assert app.document is not app.session.document
        assert [root.id for root in app.document.roots] == [root.id for root in app.session.document.roots]


def test_models_are_shown_until_something_hides_them() -> None:
    with open_app(page) as app:
        inside = app.find(name="inside")
        assert app.is_shown(inside) and app.is_shown(app.session.document.get_model_by_name("inside"))
        app.click(app.find(name="hide"))
        assert not app.is_shown(inside)
        assert not app.is_shown(app.find(name="deep"))
        assert not app.is_shown(Button())
        with pytest.raises(CannotDo, match="it lies in Column 'box', which is not visible"):
            app.click(inside)
        with pytest.raises(CannotDo, match="it lies in the tab 'b', which is not open"):
            app.set(app.find(name="deep"), text="x")
