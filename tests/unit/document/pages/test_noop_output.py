from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import bokeh.io
import bokeh.plotting
import pytest
from bokeh.document import Document
from bokeh.io.state import curstate
from bokeh.models import Div

from app_server.apps import load_application
from app_server.document.pages.noop_output import noop_output

NAMES = ("show", "save", "output_file", "output_notebook", "reset_output", "push_notebook")


def public() -> dict[tuple[str, str], Any]:
    modules = (bokeh.io, bokeh.plotting, *(sys.modules[f"bokeh.io.{name}"] for name in ("showing", "saving", "output")))
    return {
        (module.__name__, name): getattr(module, name) for module in modules for name in NAMES if hasattr(module, name)
    }


def test_functions_of_showing_and_saving_do_nothing_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with noop_output("app.py"):
        for function in public().values():
            assert function(Div(), "some.html") is None
    assert list(tmp_path.iterdir()) == []
    assert curstate().file is None


def test_functions_are_put_back_also_after_an_error() -> None:
    before = public()
    with pytest.raises(ValueError), noop_output("app.py"):
        assert public() != before
        raise ValueError
    assert public() == before


def test_blocks_nest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    before = public()
    with noop_output("outer.py"):
        with noop_output("inner.py"):
            bokeh.io.show(Div())
        bokeh.plotting.save(Div())
    assert public() == before
    assert caplog.messages == [
        "inner.py: show() has no effect in a served application",
        "outer.py: save() has no effect in a served application",
    ]


def test_function_that_somebody_else_replaced_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*args: Any) -> str:
        return "other"

    monkeypatch.setattr(bokeh.io, "show", other)
    with noop_output("app.py"):
        assert bokeh.io.show(Div()) is None
    assert bokeh.io.show is other


def test_helper_that_bound_a_function_inside_gets_the_real_one_outside(tmp_path: Path) -> None:
    with noop_output("app.py"):
        from bokeh.io import save
    save(Div(), tmp_path / "page.html", resources="inline", title="x")
    assert (tmp_path / "page.html").exists()


def test_script_stays_mute_in_its_callbacks(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "from bokeh.io import curdoc\nfrom bokeh.models import Div\nfrom bokeh.plotting import output_file, save\n"
        "output_file('page.html')\n"
        f"def callback():\n    return save(Div(), {str(tmp_path / 'page.html')!r}, resources='inline', title='x')\n"
        "curdoc().callback = callback\n"
    )
    document = Document()
    load_application(script).build(document)
    assert document.callback() is None  # type: ignore[attr-defined]
    assert not (tmp_path / "page.html").exists()
    document.modules.destroy()


def test_stand_in_keeps_the_description_of_the_function() -> None:
    real = bokeh.io.show
    with noop_output("app.py"):
        assert bokeh.io.show.__doc__ == real.__doc__
        assert isinstance(bokeh.io, ModuleType)
