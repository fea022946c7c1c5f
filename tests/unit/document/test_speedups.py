from __future__ import annotations

import pytest
from bokeh.core.has_props import HasProps
from bokeh.core.properties import Dict, Instance, Int, List, Override, String
from bokeh.model import Model
from bokeh.models import ColumnDataSource, Div, LinearAxis, Range1d
from bokeh.plotting import figure

from app_server.document import engine, speedups

engine.install()


class Mine(Model):
    number = Int(default=3)
    names = List(String, default=["a"])
    table = Dict(String, Int)
    part = Instance(Range1d, default=lambda: Range1d(1, 2))


def test_tables_are_in_use_with_the_installed_bokeh() -> None:
    assert speedups.installed()


def test_no_class_makes_other_models_with_the_tables() -> None:
    assert speedups.differing_classes() == []


def test_blocks_without_the_tables_end() -> None:
    with speedups.stock():
        assert not speedups.installed()
        assert HasProps.__init__ is not speedups._init
    assert speedups.installed()


def test_defaults_that_can_change_are_each_models_own() -> None:
    one, two = Mine(), Mine()
    one.names.append("b")
    one.table["x"] = 1
    one.part.start = 9
    assert (two.names, two.table, two.part.start) == (["a"], {}, 1)
    assert (one.names, one.table, one.part.start) == (["a", "b"], {"x": 1}, 9)
    assert Mine().part is not one.part


def test_constant_defaults_survive_a_change_of_an_instance() -> None:
    one = Mine()
    one.number = 8
    assert Mine().number == 3


def test_values_of_the_wrong_type_are_refused_all_the_same() -> None:
    with pytest.raises(ValueError):
        Mine(number="three")
    with pytest.raises(AttributeError):
        Mine(nothing=1)


def test_overridden_defaults_of_a_subclass_are_its_own() -> None:
    class Other(Mine):
        number = Override(default=5)

    assert (Mine().number, Other().number) == (3, 5)


def test_themes_give_defaults() -> None:
    axis, other = LinearAxis(), LinearAxis()
    plain = axis.axis_label
    axis.apply_theme({"axis_label": "themed"})
    assert (axis.axis_label, other.axis_label) == ("themed", plain)
    axis.unapply_theme()
    assert axis.axis_label == plain


def test_changes_of_lists_that_were_made_late_are_told() -> None:
    source, heard = ColumnDataSource(), []
    source.on_change("tags", lambda attr, old, new: heard.append(list(new)))
    source.tags.append("x")
    assert heard == [["x"]]
    div = Div()
    div.styles = {"color": "red"}
    assert div.styles == {"color": "red"}


def test_plots_are_the_same_with_and_without() -> None:
    def described() -> object:
        plot = figure(title="x")
        plot.line([1, 2], [3, 4])
        return speedups._without_ids(speedups.Serializer(deferred=False).encode(plot))

    with speedups.stock():
        expected = described()
    assert described() == expected
