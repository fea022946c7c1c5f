"""The flags of `app-server doctor`: what is told of them is what there is."""

from __future__ import annotations

import argparse
import re

import pytest

from app_server.cli.deploying.doctor_flags import DOCTOR_USAGE, add_doctor_arguments
from app_server.cli.parser import parse
from app_server.errors import OperatorError

URL = "https://a.test/"


def typed(*words: str) -> dict[str, object]:
    """What the command line of the doctor says, without what every command has."""
    found = vars(parse(["doctor", *words], {}))
    return {name: value for name, value in found.items() if name != "command"}


def test_usage_names_every_flag_and_no_other() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    add_doctor_arguments(parser)
    there = {flag for action in parser._actions for flag in action.option_strings}
    assert set(re.findall(r"^  (--[a-z-]+)", DOCTOR_USAGE, re.MULTILINE)) == there


def test_flag_that_was_not_typed_is_not_there() -> None:
    assert typed() == {"url": ""}
    assert typed(URL) == {"url": URL}


def test_flags_are_handed_on_as_they_were_typed() -> None:
    assert typed(
        URL, "--long", "5", "--instances", "3", "--opens", "x", "--embed-origin", "https://b.test",
        "--embed-origin=https://c.test", "--http-port", "80", "--ca-file", "ca.pem", "--connect-to", "::1",
        "--header", "Cookie: a", "--header", "X: b", "--proxy", "nginx", "--timeout", "0", "--json",
    ) == {
        "url": URL, "long": "5", "instances": ["3"], "opens": ["x"],
        "embed_origin": ["https://b.test", "https://c.test"], "http_port": ["80"], "ca_file": ["ca.pem"],
        "connect_to": ["::1"], "header": ["Cookie: a", "X: b"], "proxy": ["nginx"], "timeout": ["0"], "json": True,
    }  # fmt: skip


@pytest.mark.parametrize("words", [(URL, "--long"), ("--long", "--json", URL)])
def test_long_needs_no_number(words: tuple[str, ...]) -> None:
    found = typed(*words)
    assert (found["long"], found["url"]) == (None, URL)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([URL, "--opens"], "--opens: expected 1 argument. `app-server doctor --help` lists what there is."),
        ([URL, "--header"], "--header: expected one argument. `app-server doctor --help` lists what there is."),
        ([URL, "--instance", "3"], "--instance: unknown argument. Did you mean --instances?"),
        ([URL, "--nosuch"], "--nosuch: unknown argument. `app-server doctor --help` lists all flags."),
        ([URL, "https://b.test"], "https://b.test: unknown argument. `app-server doctor --help` lists all flags."),
    ],
)
def test_words_that_cannot_be_understood(words: list[str], message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        typed(*words)
    assert str(caught.value) == message
