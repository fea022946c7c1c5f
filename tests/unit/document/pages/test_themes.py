from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from bokeh.document import Document
from bokeh.plotting import figure
from bokeh.themes import built_in_themes

from app_server.document.pages.theme_names import unknown_names
from app_server.document.pages.themes import apply_theme, load_theme
from app_server.errors import ApplicationError

SHAPE = "Write it as `attrs:`, below it class names, below each its properties"


def test_theme_gives_models_other_defaults(tmp_path: Path) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text("attrs:\n  Plot:\n    background_fill_color: '#2F2F2F'\nline_defaults:\n  line_width: 5\n")
    document = Document()
    apply_theme(document, load_theme(path))
    plot = figure()
    renderer = plot.line([1, 2], [1, 2])
    document.add_root(plot)
    assert plot.background_fill_color == "#2F2F2F"
    assert renderer.glyph.line_width == 5


def test_empty_theme_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text("# nothing yet\n")
    document = Document()
    apply_theme(document, load_theme(path))
    document.add_root(figure())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"attrs:\n  Plot: [1\n", "theme.yaml:3:1: the theme is not YAML: expected ',' or ']', but got '<stream end>'"),
        (b"a: !!python/name:os.system\n", "theme.yaml:1:4: the theme is not YAML: could not determine a constructor"),
        (b"\xff\xfe\x00", "theme.yaml: the theme is not YAML: "),
        (b"- 1\n", f"theme.yaml: the theme is not a mapping. {SHAPE}"),
        (b"attrs: 3\n", f"theme.yaml: attrs of the theme is not a mapping. {SHAPE}"),
        (b"attrs:\n  Plot: red\n", f"theme.yaml: attrs.Plot of the theme is not a mapping. {SHAPE}"),
        (b"line_defaults: 3\n", f"theme.yaml: line_defaults of the theme is not a mapping. {SHAPE}"),
    ],
)
def test_faulty_theme_is_a_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "theme.yaml"
    path.write_bytes(content)
    with pytest.raises(ApplicationError) as caught:
        load_theme(path, shown="theme.yaml")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("attrs:\n  Plot:\n    background_fil_color: red\n",
         "theme.yaml:3:5: attrs.Plot.background_fil_color: Plot has no such property. "
         "Did you mean background_fill_color?"),
        ("attrs:\n  Plott: {width: 3}\n",
         "theme.yaml:2:3: attrs.Plott: no model has this name. Did you mean Plot?"),
        ("atrs:\n  Plot: {width: 3}\n", "theme.yaml:1:1: atrs: themes have no such part. Did you mean attrs?"),
        ("attrs: {Axis: {zzz: 1}}\n",
         "theme.yaml:1:16: attrs.Axis.zzz: Axis has no such property. "
         "See the properties of Axis in bokeh's reference."),
    ],
)  # fmt: skip
def test_mistyped_name_is_logged_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, sentence: str
) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text(content, encoding="utf-8")
    load_theme(path, shown="theme.yaml")
    assert caplog.messages == [sentence]


@pytest.mark.parametrize(
    "content",
    [
        "attrs:\n  figure: {width: 300}\n  Plot: {min_border: 3}\n  GuideRenderer: {axis_label: x}\n",
        "attrs:\n  ModelOfAnExtension: {shade: red}\nx-notes: kept\nline_defaults: {line_width: 2}\n",
    ],
)
def test_names_that_a_model_has_or_may_get_are_not_mentioned(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    path = tmp_path / "theme.yaml"
    path.write_text(content, encoding="utf-8")
    load_theme(path)
    assert caplog.messages == []


def test_themes_of_bokeh_have_only_known_names() -> None:
    for theme in built_in_themes.values():
        assert unknown_names(yaml.safe_dump(theme._json), "theme.yaml") == []
