"""Programs of supervisor."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.deployment.render import render
from app_server.deployment.render.services.supervisor import assignment, command
from app_server.errors import OperatorError
from tests.unit.deployment.making import HOSTS, PRINTABLE, THREE, line, planned, text


def test_supervisor_has_a_program_for_each_instance(tmp_path: Path) -> None:
    conf = text(tmp_path, "supervisor", THREE, "supervisor/app-server.conf")
    programs = [f"app-server-a{number}" for number in (1, 2, 3)]
    assert [found[9:-1] for found in conf.splitlines() if found.startswith("[program:")] == programs
    # A change of one would stop all of a group.
    assert "[group:" not in conf
    assert line(conf, "minfds=") == "65536"
    assert conf.count("stopwaitsecs=15\n") == conf.count("killasgroup=true\n") == 3


def test_folder_of_sockets_is_there_before_supervisor_starts(tmp_path: Path) -> None:
    spec = THREE.replace("instances: 3", "instances: {count: 3, socket_dir: /run/app-server}")
    made = render("supervisor", planned(tmp_path, spec))["supervisor/tmpfiles.d/app-server.conf"]
    assert made.text.splitlines()[-1] == "d /run/app-server 0755 app-server app-server -"
    assert made.install == "/etc/tmpfiles.d/app-server.conf"
    assert "supervisor/tmpfiles.d/app-server.conf" not in render("supervisor", planned(tmp_path, THREE))


def test_folder_of_saved_sessions_is_made_unless_it_exists(tmp_path: Path) -> None:
    spec = THREE + "sessions: {store: /data/saved}\n"
    made = render("supervisor", planned(tmp_path, spec))["supervisor/tmpfiles.d/app-server.conf"]
    assert made.text.splitlines()[-1] == "d /data/saved :0700 :app-server :app-server -"
    both = spec.replace("instances: 3", "instances: {count: 3, socket_dir: /run/app-server}")
    text = render("supervisor", planned(tmp_path, both))["supervisor/tmpfiles.d/app-server.conf"].text
    assert [line.split()[1] for line in text.splitlines() if line.startswith("d ")] == [
        "/run/app-server",
        "/data/saved",
    ]


def test_supervisor_of_each_machine_has_its_own_instances(tmp_path: Path) -> None:
    files = render("supervisor", planned(tmp_path, HOSTS))
    found = re.findall(r"^\[program:(.*)]$", files["supervisor/two/app-server.conf"].text, re.MULTILINE)
    assert found == ["app-server-b1", "app-server-b2"]
    assert files["supervisor/two/app-server.conf"].host == "two"


def test_supervisor_knows_no_credentials(tmp_path: Path) -> None:
    spec = THREE + "secrets: {secret_key: {credential: key}}\n"
    message = "supervisor knows no credentials, and so not 'key'. Name a file or a variable instead."
    with pytest.raises(OperatorError, match=message):
        render("supervisor", planned(tmp_path, spec))


@given(st.lists(PRINTABLE, min_size=1, max_size=4))
def test_no_word_leaves_its_place_in_supervisors_command(values: list[str]) -> None:
    try:
        shown = str(command(tuple(values)))
    except OperatorError:
        return
    assert shlex.split(shown.replace("%%", "%")) == values


@given(PRINTABLE)
def test_no_value_leaves_its_place_in_supervisors_environment(value: str) -> None:
    from supervisor.datatypes import dict_of_key_value_pairs

    try:
        shown = f"{assignment('A', value)},{assignment('B', 'b')}"
    except OperatorError:
        return
    assert dict_of_key_value_pairs(shown.replace("%%", "%")) == {"A": value, "B": "b"}
