"""Docstrings of ours become what Sphinx reads."""

from __future__ import annotations

from tools.manual.docstrings import as_rest


def test_code_gets_double_backticks() -> None:
    assert as_rest(["Use `show(path)`, ``as is``, and `port=0`."]) == ["Use ``show(path)``, ``as is``, and ``port=0``."]


def test_indented_block_becomes_literal() -> None:
    assert as_rest(["So:", "", "    a = 1", "", "    b = 2", "Done."]) == [
        "So:", "", "::", "", "    a = 1", "", "    b = 2", "Done.",
    ]  # fmt: skip


def test_continued_line_stays_in_its_paragraph() -> None:
    assert as_rest(["A list:", "    that goes on"]) == ["A list:", "    that goes on"]
