"""Units of systemd."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given

from app_server.deployment.render import render
from app_server.deployment.render.services.systemd import word
from app_server.errors import OperatorError
from tests.unit.deployment.making import PRINTABLE, THREE, line, planned, text


def test_unit_of_several_instances_takes_from_each_what_is_its_own(tmp_path: Path) -> None:
    unit = text(tmp_path, "systemd", THREE, "systemd/app-server@.service")
    assert line(unit, "ExecStart=").startswith(
        "/opt/app-server/bin/app-server serve myapp.py --address ${INSTANCE_ADDRESS} --port ${INSTANCE_PORT} --route %i"
    )
    assert line(unit, "EnvironmentFile=") == "/etc/app-server/instances/%i.env"
    own = text(tmp_path, "systemd", THREE, "systemd/instances/a2.env")
    assert own.splitlines()[-2:] == ["INSTANCE_ADDRESS=127.0.0.1", "INSTANCE_PORT=5101"]


def test_consoles_differ_from_instance_to_instance(tmp_path: Path) -> None:
    described = "apps: {a: a.py}\ninstances: 2\nconsole: {port: 5300, audit: /var/log/operators/audit}\n"
    unit = text(tmp_path, "systemd", described, "systemd/app-server@.service")
    command = line(unit, "ExecStart=")
    assert " --console ${INSTANCE_CONSOLE} --console-audit /var/log/operators/audit " in command
    assert " --console-peers ${INSTANCE_CONSOLE_PEERS} " in command
    assert line(unit, "ReadWritePaths=") == "-/var/log/operators"
    own = text(tmp_path, "systemd", described, "systemd/instances/a2.env").splitlines()
    assert {"INSTANCE_CONSOLE=127.0.0.1:5301", "INSTANCE_CONSOLE_PEERS=127.0.0.1:5300"} <= set(own)


def test_unit_with_sockets_names_them_after_the_instance(tmp_path: Path) -> None:
    spec = THREE.replace("instances: 3", "instances: {count: 3, socket_dir: /run/app-server}")
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert " --unix-socket /run/app-server/%i.sock --route %i " in line(unit, "ExecStart=")
    assert line(unit, "RuntimeDirectory=") == "app-server"
    assert line(unit, "RuntimeDirectoryPreserve=") == "yes"


def test_application_of_its_own_has_a_unit_of_its_own(tmp_path: Path) -> None:
    spec = THREE.replace("  myapp: myapp.py", "  myapp: myapp.py\n  dash: {path: dash, args: [a b, $HOME, 50%]}")
    unit = text(tmp_path, "systemd", spec, "systemd/app-server-dash@.service")
    assert line(unit, "ExecStart=").endswith(' --args "a b" $$HOME 50%%')


def test_unit_waits_for_the_drain(tmp_path: Path) -> None:
    spec = THREE + "service: {drain_s: 100, watchdog_s: 7, restart_s: 1.5, open_files: 4096}\n"
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    values = [line(unit, key) for key in ("TimeoutStopSec=", "WatchdogSec=", "RestartSec=", "LimitNOFILE=")]
    assert values == ["115", "7", "1.5", "4096"]


def test_secret_is_a_credential_of_the_unit(tmp_path: Path) -> None:
    spec = THREE + "secrets: {secret_key: {file: /etc/key}, cookie_secret: {credential: cookies}}\n"
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "LoadCredential=") == "secret_key:/etc/key"
    assert line(unit, "LoadCredentialEncrypted=") == "cookies"
    assert "Environment=BOKEH_SECRET_KEY_FILE=%d/secret_key\n" in unit
    assert "Environment=BOKEH_COOKIE_SECRET_FILE=%d/cookies\n" in unit


def test_systemd_makes_the_private_folder_of_saved_sessions(tmp_path: Path) -> None:
    unit = text(tmp_path, "systemd", THREE, "systemd/app-server@.service")
    assert (line(unit, "StateDirectory="), line(unit, "StateDirectoryMode=")) == ("app-server/sessions", "0700")
    assert line(unit, "ExecStart=").endswith(" --store /var/lib/app-server/sessions")
    assert "ExecStartPre" not in unit and "ReadWritePaths" not in unit


def test_folder_elsewhere_is_made_unless_it_exists_and_may_be_written(tmp_path: Path) -> None:
    spec = THREE + "sessions: {store: '/data/100% of it'}\n"
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "ReadWritePaths=") == '"-/data/100%% of it"'
    assert line(unit, "ExecStartPre=") == (
        '-+/bin/sh -c "test -e \\"$$0\\" || install -d -m 0700 -o app-server -g app-server \\"$$0\\""'
        ' "/data/100%% of it"'
    )
    assert "StateDirectory" not in unit


def test_folder_of_all_states_stays_as_it_is(tmp_path: Path) -> None:
    unit = text(tmp_path, "systemd", THREE + "sessions: {store: /var/lib/}\n", "systemd/app-server@.service")
    assert "StateDirectory" not in unit and line(unit, "ReadWritePaths=") == "-/var/lib/"


@pytest.mark.parametrize("store", ["off", "redis://redis.example.org", "unix:///run/redis/redis.sock"])
def test_unit_makes_no_folder_for_sessions_that_are_in_none(tmp_path: Path, store: str) -> None:
    unit = text(tmp_path, "systemd", THREE + f"sessions: {{store: '{store}'}}\n", "systemd/app-server@.service")
    assert "StateDirectory" not in unit and "ExecStartPre" not in unit
    assert ("--store" in line(unit, "ExecStart=")) == (store != "off")


def test_address_of_a_store_is_a_credential_of_the_unit(tmp_path: Path) -> None:
    spec = THREE + "secrets: {store: {file: /etc/app-server/store}}\n"
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "LoadCredential=") == "store:/etc/app-server/store"
    assert "Environment=APP_SERVER_STORE_FILE=%d/store\n" in unit and "--store" not in unit


def test_systemd_cannot_rename_a_variable(tmp_path: Path) -> None:
    spec = THREE + "secrets: {secret_key: {environment: MY_KEY}}\n"
    with pytest.raises(OperatorError) as caught:
        render("systemd", planned(tmp_path, spec))
    assert str(caught.value) == (
        "secrets.secret_key.environment: systemd cannot hand on MY_KEY under the name BOKEH_SECRET_KEY. "
        "Call it BOKEH_SECRET_KEY, or name a file or a credential."
    )


def test_port_below_1024_needs_a_capability(tmp_path: Path) -> None:
    spec = "apps: {myapp: myapp.py}\nproxy: none\ninstances: {port: 80}\n"
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "AmbientCapabilities=") == "CAP_NET_BIND_SERVICE"
    # Within a namespace of users of its own the capability would be worth nothing.
    assert "PrivateUsers" not in unit


def test_target_says_how_to_restart_without_loss(tmp_path: Path) -> None:
    target = text(tmp_path, "systemd", THREE, "systemd/app-server.target")
    assert [line[4:] for line in target.splitlines() if "systemctl restart" in line] == [
        f"systemctl restart app-server@a{number}" for number in (1, 2, 3)
    ]


@given(PRINTABLE)
def test_no_word_leaves_its_place_in_a_unit(value: str) -> None:
    try:
        shown = str(word(value))
    except OperatorError:
        return
    # As systemd takes it apart: quotes and backslashes as in a shell, then %% and $$.
    assert "\n" not in shown
    (found,) = shlex.split(shown) if shown[0] == '"' else [shown.replace("\\\\", "\\")]
    assert found.replace("%%", "%").replace("$$", "$") == value
