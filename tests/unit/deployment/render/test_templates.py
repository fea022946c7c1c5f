"""Templates: what they refuse to print, and the first lines of each file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from app_server.deployment.render.templates import Quoted, environment, header, template_root
from app_server.errors import InternalError
from tests.unit.deployment.making import planned


def printed(text: str, **values: object) -> str:
    return environment("nginx", {"quote": lambda value: Quoted(f'"{value}"')}).from_string(text).render(**values)


def test_value_without_a_filter_is_never_printed() -> None:
    with pytest.raises(InternalError, match="a template prints 'x' without a filter that quotes it"):
        printed("{{ value }}", value="x")


def test_value_that_is_missing_is_never_printed() -> None:
    with pytest.raises(InternalError, match="a template prints Undefined without a filter that quotes it"):
        printed("{{ value }}")
    with pytest.raises(UndefinedError):
        printed("{{ value.part }}")


def test_numbers_and_what_a_filter_has_quoted_are_printed_as_they_are() -> None:
    assert printed("{{ a }} {{ b | quote }} {{ c | trusted }}", a=3, b="<&>", c="<&>") == '3 "<&>" <&>'


def test_root_holds_the_templates_of_nginx() -> None:
    assert (template_root() / "nginx" / "site.conf").is_file()


def test_header_says_how_to_make_the_file(tmp_path: Path) -> None:
    plan = replace(planned(tmp_path), regenerate=("app-server", "config", "-f", "my file.yaml"))
    assert header(plan, "nginx") == [
        "Written by app-server for app-server; changes here are lost with the next run of",
        "  app-server config nginx -f 'my file.yaml'",
    ]


@pytest.mark.parametrize("words", [(), ("app-server", "config", "-f", "a\nb")])
def test_header_holds_no_words_that_are_more_than_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert header(replace(planned(tmp_path), regenerate=words), "nginx")[1] == "  app-server config nginx"
