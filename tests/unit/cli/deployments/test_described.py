"""A deployment that flags describe in place of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli.deployments.described import FLAGS, KEYS, as_typed, command_line, values_of
from app_server.cli.parser import parse
from app_server.errors import OperatorError

WORDS = ["config", "nginx", "--app", "a.py", "--app", "b/a.py", "--app", "1 ä.py", "--port", "5200",
         "--tls-cert", "c.pem",
         "--server-name", "foo.com", "--static-dir", "static", "--session-ids", "signed"]  # fmt: skip


def test_values_are_those_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert values_of(parse(WORDS, {})) == {
        "apps": {"a": "a.py", "ax": "b/a.py", "a1--": "1 ä.py"},
        "paths": {"command": "app-server", "apps": str(tmp_path), "static": f"{tmp_path}/static"},
        "public": {"hosts": ["foo.com"]},
        "instances": {"port": "5200"},
        "tls": {"certificate": f"{tmp_path}/c.pem"},
        "proxy": {"static": True},
        "sessions": {"ids": "signed"},
        "secrets": {"secret_key": {"environment": "BOKEH_SECRET_KEY"}},
    }


def test_command_line_makes_the_same_again() -> None:
    words = command_line(parse(WORDS, {}))
    assert words[:2] == ("app-server", "config")
    assert values_of(parse(["config", "nginx", *words[2:]], {})) == values_of(parse(WORDS, {}))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("command line:1:1: instances.port", "--port"),
        ("command line:1:1: public.hosts[1]", "--server-name"),
        ("command line:1:1: apps.a.path", "apps.a.path"),
        (None, None),
    ],
)
def test_fault_names_the_flag(where: str | None, expected: str | None) -> None:
    assert as_typed(OperatorError("is wrong", where=where, hint="Mend it.")).where == expected


def test_every_flag_gives_a_key() -> None:
    assert [flag.name for flag in FLAGS] == list(KEYS)
