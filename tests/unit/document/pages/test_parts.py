"""Which parts of BokehJS a document needs, and which messages need them."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable

import pytest
from bokeh.core.has_props import HasProps
from bokeh.models import (
    Button,
    ColumnDataSource,
    CustomJS,
    DataTable,
    Div,
    Label,
    MathML,
    Model,
    Plot,
    Slider,
    TableColumn,
    TeX,
)
from bokeh.plotting import figure

from app_server.document.encoding.document_encoder import encode_document
from app_server.document.pages.embedding import static_root
from app_server.document.pages.parts import (
    CORE,
    MATHS,
    PARTS,
    TABLES,
    WEBGL,
    WIDGETS,
    asked_for_by,
    needed,
    part_of,
    with_those_before,
)
from app_server.document.served import ServedDocument, new_document


def table() -> DataTable:
    return DataTable(source=ColumnDataSource({"x": [1]}), columns=[TableColumn(field="x")])


def plot(**values: object) -> Plot:
    made = figure(**values)
    made.line([1, 2], [3, 4])
    return made


def labelled(text: object) -> Plot:
    made = plot()
    made.add_layout(Label(x=1, y=1, text=text))
    return made


def with_code(code: str) -> Plot:
    made = plot()
    made.x_range.js_on_change("start", CustomJS(code=code))
    return made


def of(*roots: Model) -> ServedDocument:
    document = new_document("parts")
    for root in roots:
        document.add_root(root)
    return document


CASES: dict[str, tuple[Callable[[], Model], set[str]]] = {
    "a plot": (plot, set()),
    "a slider": (lambda: Slider(start=0, end=1, value=0), {WIDGETS}),
    "a text": (lambda: Div(text="plain"), {WIDGETS}),
    "a table": (table, {WIDGETS, TABLES}),
    "a plot in WebGL": (lambda: plot(output_backend="webgl"), {WEBGL}),
    "TeX": (lambda: labelled(TeX(r"\frac{1}{2}")), {MATHS}),
    "MathML": (lambda: labelled(MathML("<math></math>")), {MATHS}),
    "dollars": (lambda: labelled("$$x^2$$"), {MATHS}),
    "parentheses": (lambda: labelled(r"the \(x^2\) of"), {MATHS}),
    "brackets": (lambda: Div(text=r"\[x^2\]"), {WIDGETS, MATHS}),
    "quotes": (lambda: Button(label='a "quoted" $$x$$'), {WIDGETS, MATHS}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("is_encoded", [True, False])
def test_document_needs_the_parts_of_its_models(case: str, is_encoded: bool) -> None:
    make, expected = CASES[case]
    document = of(make())
    encoded = encode_document(document)[0] if is_encoded else None
    assert needed(document, encoded) == {CORE, *expected}


@pytest.mark.parametrize("case", CASES)
def test_message_needs_the_parts_of_its_models(case: str) -> None:
    make, expected = CASES[case]
    text = encode_document(of(make()))[0].decode()
    asked = {part for part in PARTS if part != CORE and re.search(asked_for_by(part), text)}
    assert with_those_before(asked) == expected


@pytest.mark.parametrize("text", ["it costs $$ 5", r"a \( alone", r"C:\\(x86)", "$$$$"])
def test_delimiters_without_a_formula_need_no_mathematics(text: str) -> None:
    document = of(labelled(text))
    assert needed(document, encode_document(document)[0]) == {CORE}


def test_delimiters_in_two_texts_are_no_formula() -> None:
    document = of(labelled("$$5"), labelled("$$6"))
    assert needed(document, encode_document(document)[0]) == {CORE}


HOSTILE = {
    "openings": r"\\(" * 200_000,
    "both openings": r"\\(\\[" * 200_000,
    "dollars": "$" * 400_000,
    "pairs of dollars": "$$ " * 200_000,
    "lone dollars": "$$" + "$ " * 200_000,
    "escapes": r"\\(" + r"\n" * 200_000,
    "an end that never comes": r"\\(" + "x" * 400_000,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_searched_as_fast_as_other_text(case: str) -> None:
    text = json.dumps({"content": HOSTILE[case]})
    began_s = time.process_time()
    re.search(asked_for_by(MATHS), text)
    assert time.process_time() - began_s < 1, "the time grows with the square of the length"


@pytest.mark.parametrize("opening, closing", [("$$", "$$"), (r"\(", r"\)"), (r"\[", r"\]")])
@pytest.mark.parametrize(
    "between", ["x", "", '"', 'f(x) = "y"', r"\frac{1}{2}", "a\nb", "a $ b", "\\\\", "ü", "x" * 10_000]
)
@pytest.mark.parametrize("before", ["", "a", '"', "$", "\\", r"\("])
def test_every_formula_needs_mathematics(opening: str, closing: str, between: str, before: str) -> None:
    text = json.dumps({"text": f"{before}{opening}{between}{closing}"})
    empty = opening == "$$" and not between
    assert empty or re.search(asked_for_by(MATHS), text)


@pytest.mark.parametrize(
    "code",
    [
        "new Bokeh.Widgets.Slider()",
        'Bokeh["Models"]',
        "const {Tables} = Bokeh",
        "const {Tables} = Bokeh\nnew Tables.DataTable()",
        "use(Bokeh)",
        "window['Bokeh']",
    ],
)
def test_javascript_that_names_bokeh_may_need_everything(code: str) -> None:
    document = of(with_code(code))
    assert needed(document, encode_document(document)[0]) == set(PARTS)


def test_title_that_names_bokeh_needs_nothing() -> None:
    document = of(plot(title="Bokeh at work"))
    document.title = "Bokeh Application"
    assert needed(document, encode_document(document)[0]) == {CORE}


def test_javascript_of_other_things_needs_nothing() -> None:
    document = of(with_code("console.log(this.start)"))
    assert needed(document, encode_document(document)[0]) == {CORE}


def test_javascript_that_turns_webgl_on_needs_it() -> None:
    document = of(with_code("plot.output_backend = 'webgl'"))
    assert needed(document, encode_document(document)[0]) == {CORE, WEBGL}


def test_subclass_is_in_the_part_of_its_base() -> None:
    class OwnSlider(Slider):
        pass

    class OwnTable(DataTable):
        pass

    assert (part_of(OwnSlider), part_of(OwnTable), part_of(Plot)) == (WIDGETS, TABLES, None)


def test_every_class_is_in_the_part_that_defines_it() -> None:
    defined = defaultdict(set)
    for part in PARTS:
        source = (static_root() / "js" / f"{part}.js").read_text(encoding="utf-8")
        for name in re.findall(r'^\s+(\w+)\.__name__ = "\1";', source, re.MULTILINE):
            defined[name].add(part)
    wrong = {
        name: (part_of(kind), defined[name])
        for name, kind in HasProps.model_class_reverse_map.items()
        if kind.__module__.startswith("bokeh.") and defined[name] and part_of(kind) not in (MATHS,)
        if (part_of(kind) or CORE) not in defined[name]
    }
    assert not wrong
