from __future__ import annotations

import logging
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.http.index_template import JinjaIndex, TornadoIndex, own_index

JINJA = "{% for item in items %}<a href='{{ prefix }}{{ item }}'>{{ item[1:] }}</a>{% endfor %}"
TORNADO = JINJA.replace("endfor", "end")
EXPECTED = "<a href='/t/a&amp;b'>a&amp;b</a><a href='/t/c'>c</a>"


def write(folder: Path, text: str) -> str:
    path = folder / "index.html"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (JINJA, JinjaIndex, EXPECTED),
        (TORNADO, TornadoIndex, EXPECTED),
        ("{# {% end %} #}" + JINJA, JinjaIndex, EXPECTED),
        ("{% raw %}{% end %}{% endraw %}", JinjaIndex, "{% end %}"),
        ("{% raw items[0] %}", TornadoIndex, "/a&b"),
        ("{{ items | length }}", JinjaIndex, "2"),
        ("{{ ' '.join(i.upper() for i in items) }}", TornadoIndex, "/A&amp;B /C"),
        ("plain", JinjaIndex, "plain"),
        ("{% set n = len(items) %}{% if n %}{{ n }}{% end %}", TornadoIndex, "2"),
    ],
)
def test_kind_of_a_template_is_seen_in_its_tags(tmp_path: Path, text: str, kind: type, expected: str) -> None:
    index = own_index(write(tmp_path, text), ["/c", "/a&b"], "/t")
    assert type(index) is kind
    assert index.render(["/c", "/a&b"], "/t", {}).replace("&#39;", "'") == expected


def test_tornado_template_may_extend_another_and_ask_for_the_request(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("[{% block list %}{% end %}]")
    path = write(tmp_path, '{% extends "base.html" %}{% block list %}{{ request.host }}{% end %}')
    request = type("Request", (), {"host": "tools.example"})()
    assert own_index(path, [], "").render([], "", {"request": request}) == "[tools.example]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<p>\n{% for item in items %}\n{{ item }}{% end %}{% end %}", "{path}:3: the index template is not valid: "),
        ("{% if items %}\n\n{{ items[ }}{% end %}", "{path}:3: the index template is not valid: "),
        ("\n{% module %}{% end %}", "{path}:2: the index template is not valid: "),
        ('{% extends "no.html" %}{% block a %}{% end %}', "{path}: the index template failed: "),
        ("\n{% for item in items %}", "{path}:2: the index template is not valid: "),
        ("{{ 1 / 0 }}", "{path}:1: the index template failed: division by zero"),
        ("\n{{ nothing.at.all }}", "{path}:2: the index template failed: 'nothing' is undefined"),
    ],
)
def test_what_is_wrong_is_said_at_the_start_with_its_line(
    tmp_path: Path, text: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, text)
    with caplog.at_level(logging.DEBUG), pytest.raises(OperatorError) as refused:
        own_index(path, ["/a"], "")
    assert str(refused.value).startswith(message.format(path=path))
    assert caplog.text == ""


def test_tornado_template_that_fails_later_is_the_operators_error(tmp_path: Path) -> None:
    index = own_index(write(tmp_path, "{% if items %}{{ 1 / 0 }}{% end %}"), [], "")
    with pytest.raises(OperatorError, match="the index template failed: division by zero"):
        index.render(["/a"], "", {})
