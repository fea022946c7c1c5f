"""Values in YAML files, changed among everything that stays."""

from __future__ import annotations

import pytest
import yaml

from app_server.deployment.yaml_edit import with_value
from app_server.errors import OperatorError

COUNT = ("instances", "count")

CASES = [
    ("apps: a.py\n# c\ninstances: 2 # two\n", ("instances",), "apps: a.py\n# c\ninstances: 7 # two\n"),
    (
        "instances:\n  # hm\n  count: 2 # two\n  port: 5\n",
        COUNT,
        "instances:\n  # hm\n  count: 7 # two\n  port: 5\n",
    ),
    ("instances:\n  port: 5 # five\n", COUNT, "instances:\n  count: 7\n  port: 5 # five\n"),
    ("instances:\n\npublic: x\n", COUNT, "instances: {count: 7}\n\npublic: x\n"),
    ("instances: ~ # none\n", COUNT, "instances: {count: 7} # none\n"),
    ("instances: {port: 5}\n", COUNT, "instances: {count: 7, port: 5}\n"),
    ("instances: {}\n", COUNT, "instances: {count: 7}\n"),
    ("apps: a.py", COUNT, "apps: a.py\n\ninstances:\n  count: 7\n"),
    ("apps: a.py\n# last\n", COUNT, "apps: a.py\n# last\n\ninstances:\n  count: 7\n"),
    ("{apps: a.py}", COUNT, "{instances: {count: 7}, apps: a.py}"),
    ("---\napps: a.py\n...\n", COUNT, "---\napps: a.py\n\ninstances:\n  count: 7\n...\n"),
    ("a:\n  b:\n    c: 1\n", ("a", "b", "d", "e"), "a:\n  b:\n    d:\n      e: 7\n    c: 1\n"),
    ("a: 'ä: # no' # ä\ncount: 'x'\n", ("count",), "a: 'ä: # no' # ä\ncount: 7\n"),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", ("c", "b"), "a: &x {b: 1}\nc:\n  b: 7\n  <<: *x\n"),
]


@pytest.mark.parametrize(("text", "path", "expected"), CASES)
def test_only_the_value_changes(text: str, path: tuple[str, ...], expected: str) -> None:
    found = with_value(text, path, 7, "deploy.yaml")
    assert found == expected
    value = yaml.safe_load(found)
    for key in path:
        value = value[key]
    assert value == 7


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "deploy.yaml: expected lines of the form `key: value`"),
        ("- a\n", "deploy.yaml: expected lines of the form `key: value`"),
        ("instances: [1]\n", "deploy.yaml:1:12: instances: expected lines of the form `key: value`"),
        (
            "a: &x {count: 1}\ninstances: *x\n",
            "deploy.yaml:2: instances: is an alias of another place, which would change, too. Write it out.",
        ),
    ],
)
def test_what_cannot_be_changed_by_itself_is_refused(text: str, expected: str) -> None:
    with pytest.raises(OperatorError) as caught:
        with_value(text, COUNT, 7, "deploy.yaml")
    assert str(caught.value) == expected


def test_fractions_are_written_shortly() -> None:
    assert with_value("a: 1\n", ("a",), 0.5, "x") == "a: 0.5\n"
