"""Names in a theme that are likely mistyped: each with its place in the file, and what was likely meant."""

from __future__ import annotations

import pytest
import yaml

from app_server.document.pages.theme_names import unknown_names

WHERE = "board/theme.yaml"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- 1\n", "text\n", "attrs:\n", "attrs: [Plot]\n", "attrs: {Plot: 3}\n"]
)
def test_what_has_no_names_has_no_mistyped_ones(text: str) -> None:
    assert unknown_names(text, WHERE) == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("line_default: {}\n", ["1:1: line_default: themes have no such part. Did you mean line_defaults?"]),
        ("a: 1\ntext_defualts: {}\n", ["2:1: text_defualts: themes have no such part. Did you mean text_defaults?"]),
        ("attrs: {Titel: {}}\n", ["1:9: attrs.Titel: no model has this name. Did you mean Title?"]),
        ("attrs:\n  Title:\n    text_colour: red\n",
         ["3:5: attrs.Title.text_colour: Title has no such property. Did you mean text_color?"]),
        ("attrs: {Title: {zzz: 1}}\n",
         ["1:17: attrs.Title.zzz: Title has no such property. See the properties of Title in bokeh's reference."]),
    ],
)  # fmt: skip
def test_sentence_names_the_place_and_what_was_meant(text: str, sentences: list[str]) -> None:
    assert unknown_names(text, WHERE) == [f"{WHERE}:{sentence}" for sentence in sentences]


def test_every_mistyped_name_is_told_in_the_order_of_the_file() -> None:
    text = "atrs: {}\nattrs:\n  Titel: {}\n  Title: {zzz: 1, text_colour: red}\nfill_default: {}\n"
    assert [found.split(": ")[1] for found in unknown_names(text, WHERE)] == [
        "atrs", "attrs.Titel", "attrs.Title.zzz", "attrs.Title.text_colour", "fill_default",
    ]  # fmt: skip


def test_property_of_a_derived_class_is_known_for_its_base() -> None:
    # A theme for Axis is for LogAxis too, which has properties of its own.
    assert unknown_names("attrs: {Axis: {axis_label: x}, LayoutDOM: {min_border: 3}}\n", WHERE) == []


def test_names_that_resemble_nothing_may_be_defined_later() -> None:
    assert unknown_names("notes: kept\nattrs: {OwnModelOfAnExtension: {anything: 1}}\n", WHERE) == []


def test_names_that_are_no_text_do_no_harm() -> None:
    text = "1: 2\nattrs: {3: {a: 1}, Title: {4: 5, null: 6}}\n"
    assert [found.split(": ")[1] for found in unknown_names(text, WHERE)] == ["attrs.Title.4", "attrs.Title.null"]


def test_bytes_are_read_as_text_is() -> None:
    assert unknown_names(b"attrs: {Titel: {}}\n", WHERE) == unknown_names("attrs: {Titel: {}}\n", WHERE) != []


def test_what_is_not_yaml_is_the_callers_matter() -> None:
    with pytest.raises(yaml.YAMLError):
        unknown_names("attrs: [", WHERE)
