"""The program of a Markdown application: what runs, what is shown, and in which lines."""

from __future__ import annotations

import ast

import pytest

from app_server.sources.markdown import read_markdown

INTRO = """\
Before all code.

```python
import panel as pn

pn.extension()
```

The **first** text.

```bash
# not a title
ls
```

```{pyodide}
x = 1
```

# The title

The last text.
"""


def shown(python: str) -> list[str]:
    """The texts that the program shows, in order."""
    calls = [node for node in ast.walk(ast.parse(python)) if isinstance(node, ast.Call) and node.args]
    return [
        call.args[0].value for call in sorted(calls, key=lambda call: call.lineno)
        if isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
        and ast.unparse(call.func).endswith(".Markdown")
    ]  # fmt: skip


def test_blocks_of_python_keep_their_lines() -> None:
    lines = INTRO.splitlines()
    python = read_markdown(INTRO).python.splitlines()
    for code in ("import panel as pn", "pn.extension()", "x = 1"):
        assert python[lines.index(code)] == code


def test_text_is_shown_from_the_block_on_that_loads_panel() -> None:
    assert shown(read_markdown(INTRO).python) == [
        "\nThe **first** text.\n\n```bash\n# not a title\nls\n```\n\n",
        "\n\nThe last text.\n",
    ]


def test_heading_is_the_title_and_is_not_shown() -> None:
    read = read_markdown(INTRO)
    assert read.title == "The title"
    assert "state.curdoc.title = 'The title'" in read.python


def test_title_goes_into_the_template() -> None:
    read = read_markdown('# Harvests\n```python\npn.extension("tabulator", template="fast")\n```\n')
    assert "state.template.title = 'Harvests'" in read.python
    assert "curdoc" not in read.python


@pytest.mark.parametrize(
    "text", ["", "Only a text.\n", "# Title\n```bash\nls\n```\n", "````md\n```python\n1\n```\n````\n"]
)
def test_file_without_python_has_no_program(text: str) -> None:
    assert read_markdown(text).python == ""


def test_longer_fence_shows_the_shorter_ones_inside() -> None:
    text = "```python\npn.extension()\n```\n````md\n```python\nraise SystemExit\n```\n````\n"
    read = read_markdown(text)
    assert "raise SystemExit\\n" in read.python
    assert shown(read.python) == ["````md\n```python\nraise SystemExit\n```\n````\n"]


def test_block_in_a_list_begins_at_the_left() -> None:
    read = read_markdown("1. Do this:\n\n   ```python\n   if True:\n\n       x = 1\n   ```\n")
    names: dict[str, object] = {}
    exec(read.python, names)
    assert names["x"] == 1


def test_block_that_is_never_closed_runs_to_the_end() -> None:
    assert read_markdown("```python\nx = 1\ny = 2").python == "\nx = 1\ny = 2\n"


def test_text_of_quotes_and_braces_stays_as_it_is() -> None:
    text = "It's \"{curly}\" \\n '''ä'''\n"
    assert shown(read_markdown(f"```python\npn.extension()\n```\n{text}").python) == [text]


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_characters_that_end_lines_for_other_programs_stay_in_their_line(character: str) -> None:
    names: dict[str, object] = {}
    exec(read_markdown(f"```python\r\nx = 'a{character}b'\r\n```\r\n").python, names)
    assert names["x"] == f"a{character}b"
