"""Tests of this application, which run in a few tenths of a second, without a browser: `pytest examples/daylight`."""

from datetime import date

import pytest
from bokeh.models import ColumnDataSource, DateSlider, Select

from app_server.testing import CannotDo


@pytest.fixture
def app(open_app):
    """The page as a visitor from Tokyo opens it: /daylight?city=Tokyo."""
    return open_app(".", arguments={"city": "Tokyo"})


def test_page_begins_with_the_city_of_its_address(app):
    assert app.title == "Daylight"
    assert app.find(Select, name="city").value == "Tokyo"
    assert app.find(text="21 June, Tokyo")


def test_choosing_a_city_and_a_day_describes_them(app):
    app.set(app.find(Select, name="city"), value="Tromsø")
    app.set(app.find(DateSlider, name="day"), value=date(2026, 12, 21))
    facts = app.find(name="facts")
    assert "21 December, Tromsø" in facts.text
    assert "The sun stays below the horizon." in facts.text


def test_plots_can_be_clicked(app):
    app.tap(app.find(name="year"), x=60, y=12)
    assert app.find(text="1 March, Tokyo")
    ranking = app.find(ColumnDataSource, name="ranking")
    app.select(ranking, [list(ranking.data["city"]).index("Quito")])
    assert app.find(Select, name="city").value == "Quito"


def test_there_is_no_other_year(app):
    with pytest.raises(CannotDo, match="is not between"):
        app.set(app.find(DateSlider), value=date(2027, 1, 1))
