"""What a target's format cannot carry is refused with its key, its line and the character at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.render import render
from app_server.deployment.render.unwritable import refused
from app_server.errors import OperatorError
from tests.unit.deployment.making import faults, planned


def refusal(folder: Path, target: str, text: str) -> str:
    plan = planned(folder, text)
    with pytest.raises(OperatorError) as caught:
        render(target, plan)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("target", "text", "message"),
    [
        ("supervisor", "apps:\n  a:\n    path: a.py\n    args: ['x ;y']\nservice: supervisor\n",
         "deploy.yaml:4:12: apps.a.args[0]: 'x ;y' holds ';', which cannot be written into supervisor's configuration."
         " Leave it out."),
        ("nginx", "apps: {a: a.py}\nheaders:\n  extra:\n    X-Ours: '$host'\n",
         "deploy.yaml:4:5: headers.extra.X-Ours: '$host' holds '$', which cannot be written into nginx's configuration."
         " Leave it out."),
        ("apache", "apps: {a: a.py}\nproxy: apache\nheaders:\n  extra: {X-Ours: 'a${b}'}\n",
         "deploy.yaml:4:11: headers.extra.X-Ours: 'a${b}' holds '${', which cannot be written into Apache's"
         " configuration. Leave it out."),
        ("logrotate", "apps: {a: a.py}\nlogs: {dir: '/var/log/a*'}\n",
         "deploy.yaml:2:8: logs.dir: '/var/log/a*' holds '*', which cannot be written into logrotate's configuration."
         " Leave it out."),
        ("systemd", "apps: {a: a.py}\npaths: {apps: '/srv/a\"b'}\n",
         "deploy.yaml:2:9: paths.apps: '/srv/a\"b' holds '\"', which cannot be written into systemd's units."
         " Leave it out."),
    ],
)  # fmt: skip
def test_renderer_names_key_line_and_character(tmp_path: Path, target: str, text: str, message: str) -> None:
    assert refusal(tmp_path, target, text) == message


@pytest.mark.parametrize(
    ("value", "meaningful", "message"),
    [
        ("a\u2028b", "", "'a\\u2028b' holds U+2028, which cannot be written into a file. Leave it out."),
        ("a;b{", "{;", "'a;b{' holds ';', which cannot be written into a file. Leave it out."),
        ("", "", "is empty, which cannot be written into a file. Give a value."),
        (" a", "", "' a' begins or ends with a space, which is lost in a file. Leave it out."),
        ("a", "", "'a' cannot be written into a file. Choose a plainer value."),
    ],
)
def test_first_character_at_fault_is_named(value: str, meaningful: str, message: str) -> None:
    assert str(refused(value, "a file", meaningful)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apps:\n\ta: a.py\n", "deploy.yaml:2:1: not YAML: a tab, but YAML only allows spaces. Indent with spaces."),
        ("apps: {a: @b}\n", "deploy.yaml:1:11: not YAML: a value cannot begin with '@'. Put the value in quotes."),
        ("apps: {a: `b`}\n", "deploy.yaml:1:11: not YAML: a value cannot begin with '`'. Put the value in quotes."),
        ("apps: a: b\n", "deploy.yaml:1:8: not YAML: a second ': ' on one line. Put the value in quotes, or start a new"
         " line."),
    ],
)  # fmt: skip
def test_what_is_not_yaml_is_explained(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        faults(tmp_path, text)
    assert str(caught.value).replace(f"{tmp_path}/", "") == message
