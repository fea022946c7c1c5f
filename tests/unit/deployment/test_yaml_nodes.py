"""YAML that is read as it was written: places, keys that are given twice, merges, and what is no YAML."""

from __future__ import annotations

import pytest

from app_server.deployment import yaml_nodes
from app_server.deployment.yaml_nodes import DEEPEST, YamlEntry, laid_over, parse
from app_server.errors import OperatorError


def read(text: str) -> YamlEntry:
    """The entries of a text without faults."""
    entry, faults = parse(text, "f.yaml")
    assert faults == []
    return entry


def faults(text: str) -> list[str]:
    return [str(fault) for fault in parse(text, "f.yaml")[1]]


def test_nothing_is_guessed() -> None:
    text = "a: no\nb: 022\nc: 5:30\nd: 1.10\ne: ~\nf:\ng: 'null'\nh: [1, {i: yes}]\n"
    assert read(text).value() == {
        "a": "no", "b": "022", "c": "5:30", "d": "1.10", "e": None, "f": None, "g": "null", "h": ["1", {"i": "yes"}],
    }  # fmt: skip


def test_empty_file_is_an_empty_block() -> None:
    entry = read("# nothing\n")
    assert (entry.value(), str(entry.place)) == ({}, "f.yaml:1:1")


def test_place_of_a_value_is_that_of_its_key_and_of_a_part_its_own() -> None:
    entry = read("a:\n  b: 1\n  c: [x,\n      y]\n")
    assert [
        (str(place), done) for place, done in map(entry.find, [("a", "b"), ("a", "c", 1), ("a", "c", 5), ("z",)])
    ] == [
        ("f.yaml:2:3", ("a", "b")),
        ("f.yaml:4:7", ("a", "c", 1)),
        ("f.yaml:3:3", ("a", "c")),
        ("f.yaml:1:1", ()),
    ]


def test_text_is_found_by_what_was_written() -> None:
    entry = read("a: {host: tools.example.org, key: x}\nb: [long value, long]\n")
    assert entry.path_to("tools.example.org") == ("a", "host")
    assert entry.path_to("key") == ("a", "key")
    assert entry.path_to("elsewhere") is None
    # The longest piece of what was made of several, if it holds what is looked for.
    assert entry.path_to("--x=long value", part="v") == ("b", 0)
    assert entry.text_at(("b", 1)) == "long" and entry.text_at(("a",)) == "a"


def test_key_that_is_given_twice_is_a_fault_and_the_last_one_stands() -> None:
    entry, found = parse("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert [str(fault) for fault in found] == ["f.yaml:3:1: a is given twice. See line 1. Remove one of them."]
    assert entry.value() == {"a": "3", "b": "2"}


def test_key_that_is_no_text_is_a_fault() -> None:
    assert faults("? [a, b]\n: 1\n") == ["f.yaml:1:3: expected a key, not a block or a list"]


def test_what_is_written_goes_before_what_is_merged_in() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {<<: [*x, *y], a: 0}\n"
    assert read(text).value()["z"] == {"a": "0", "b": "1", "c": "2"}  # type: ignore[call-overload,index]
    assert faults("z: {<<: word}\n") == ["f.yaml:1:9: <<: expected a block to merge"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2:1: not YAML: a tab, but YAML only allows spaces. Indent with spaces."),
        ("a: @b\n", "f.yaml:1:4: not YAML: a value cannot begin with '@'. Put the value in quotes."),
        ("a: b: c\n", "f.yaml:1:5: not YAML: a second ': ' on one line. Put the value in quotes, or start a new line."),
        ("a: [1\n", "f.yaml:2:1: not YAML: did not find expected ',' or ']'"),
        ("a: *b\n", "f.yaml:1:4: not YAML: found undefined alias"),
    ],
)
def test_what_is_no_yaml_is_explained(text: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        parse(text, "f.yaml")
    assert str(caught.value) == error


@pytest.mark.parametrize(
    "text",
    [
        "[" * (DEEPEST + 2) + "]" * (DEEPEST + 2),
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
        ),
    ],
    ids=["deep", "billion laughs"],
)
def test_blocks_without_end_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_nodes, "MOST_NODES", 1000)
    with pytest.raises(OperatorError, match="cannot be read: blocks are nested without end"):
        parse(text, "f.yaml")


def test_deepest_block_that_is_taken() -> None:
    read("[" * DEEPEST + "]" * DEEPEST)


def test_one_file_lies_over_another_key_by_key() -> None:
    under, over = read("a: {b: 1, c: 2}\nd: [1, 2]\ne: 1\n"), read("a: {c: 3}\nd: [4]\ne:\nf: 5\n")
    both = laid_over(under, over)
    assert both.value() == {"a": {"b": "1", "c": "3"}, "d": ["4"], "e": None, "f": "5"}
    assert laid_over(under, read("[1]")).value() == ["1"]
