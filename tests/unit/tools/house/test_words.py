"""Words that are not wanted are found where people read them, old names everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.house.sources import Fault, Source
from tools.house.words import MARKERS, OLD_NAMES, is_read, marker_words, old_names, read_texts, summary, too_many

PYTHON = '''"""It is told so that
nobody waits."""
alone = counts = 1  # whoever counts
text = f"amiss {alone}: colour # anew"
'''


def words_in(path: str, text: str) -> list[tuple[int | None, str]]:
    """The marker words in a file, with their lines."""
    return [(found.line, found.text) for found in marker_words([Source(path, text)])]


@pytest.mark.parametrize("word", MARKERS)
def test_each_marker_word_is_found(word: str) -> None:
    assert words_in("docs/a.md", f"one\n{word.capitalize()} two") == [(2, word)]


def test_marker_word_is_found_across_the_end_of_a_line_and_not_within_another_word() -> None:
    assert words_in("docs/a.md", "It is\ntold. It standalone is noted, discounts.") == [(1, "is told")]


def test_strings_and_comments_of_code_are_read_and_its_names_are_not() -> None:
    assert sorted(words_in("app_server/a.py", PYTHON)) == [
        (1, "is told"), (1, "so that"), (2, "nobody"), (3, "counts"), (3, "whoever"), (4, "amiss"), (4, "anew"),
    ]  # fmt: skip


def test_words_are_faults_above_the_ceiling_only() -> None:
    found = marker_words([Source("docs/a.md", "alone, alone\nanew")])
    assert too_many(found, 3) == []
    assert [str(fault) for fault in too_many(found, 2)] == [
        'docs/a.md:1: "alone": say only, by itself',
        'docs/a.md:1: "alone": say only, by itself',
        'docs/a.md:2: "anew": say again',
        "pyproject.toml: 3 marker words (alone 2, anew 1); 2 are allowed",
    ]
    assert summary(found) == "alone 2, anew 1"


@pytest.mark.parametrize("name", OLD_NAMES)
def test_each_old_name_is_found_as_a_word_and_in_identifiers(name: str) -> None:
    as_class = name[0].upper() + name[1:]
    for text in (f"the {name}.", f"my_{name}_s = 1", f"class {as_class}Thing:"):
        [fault] = old_names([Source("tests/a.py", f"\n{text}")])
        assert (fault.path, fault.line) == ("tests/a.py", 2), text
        assert fault.text.endswith(f" is called {OLD_NAMES[name]} now")


def test_plural_of_an_old_name_is_found() -> None:
    faults = old_names([Source("docs/a.md", "zygotes\nmy_session_boxes")])
    assert [fault.text for fault in faults] == [
        "zygotes is called fork server now", "session_boxes is called session_socket now",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["screw", "inherit", "held", "forwards", "Desktop", "storyteller", "letter", "desk"])
def test_other_words_are_no_old_names(word: str) -> None:
    assert old_names([Source("docs/a.md", f"A {word}, some_{word}, {word}ing.")]) == []


def test_texts_are_read_but_for_this_tool_and_what_is_no_text(tmp_path: Path) -> None:
    for path in ("docs/a.md", "docs/b.png", "tools/house/words.py", "tools/c.py", "docs/__pycache__/d.py", "README.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("zygote", encoding="utf-8")
    texts = read_texts(tmp_path, ("README.md", "docs", "tools", "missing"))
    assert [source.path for source in texts] == ["README.md", "docs/a.md", "tools/c.py"]
    assert old_names(texts)[0] == Fault("README.md", 1, "zygote is called fork server now")


@pytest.mark.parametrize(
    ("path", "read"), [("README.md", True), ("docs/a.md", True), ("tests/a.py", False), ("ARCHITECTURE.md", False)]
)
def test_marker_words_count_where_users_read(path: str, read: bool) -> None:
    assert is_read(path) is read
