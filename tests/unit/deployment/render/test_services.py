"""What starts instances: systemd, supervisor, gunicorn, and what hangs on them."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app_server.deployment.render import render
from app_server.deployment.render.gunicorn import literal
from app_server.deployment.render.inventory import dump
from app_server.deployment.render.supervisor import assignment, command
from app_server.deployment.render.systemd import word
from app_server.errors import OperatorError
from tests.unit.deployment.making import planned

THREE = """\
apps:
  myapp: myapp.py
public: tools.example.org
instances: 3
"""
HOSTS = """\
apps:
  myapp: myapp.py
public: tools.example.org
instances:
  count: 2
  hosts:
    - {name: one, address: 10.0.0.1, ssh: "me@one:2222"}
    - {name: two, address: 10.0.0.2}
"""


def text(folder: Path, target: str, spec: str, name: str) -> str:
    """One file of a target."""
    return render(target, planned(folder, spec))[name].text


def line(text: str, start: str) -> str:
    """The only line that begins so, without that."""
    (found,) = [line for line in text.splitlines() if line.startswith(start)]
    return found.removeprefix(start)


def test_unit_of_several_instances_takes_from_each_what_is_its_own(tmp_path: Path) -> None:
    unit = text(tmp_path, "systemd", THREE, "systemd/app-server@.service")
    assert line(unit, "ExecStart=").startswith(
        "/opt/app-server/bin/app-server serve myapp.py --address ${INSTANCE_ADDRESS} --port ${INSTANCE_PORT} --route %i"
    )
    assert line(unit, "EnvironmentFile=") == "/etc/app-server/instances/%i.env"
    own = text(tmp_path, "systemd", THREE, "systemd/instances/a2.env")
    assert own.splitlines()[-2:] == ["INSTANCE_ADDRESS=127.0.0.1", "INSTANCE_PORT=5101"]


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


def test_supervisor_has_a_program_for_each_instance(tmp_path: Path) -> None:
    conf = text(tmp_path, "supervisor", THREE, "supervisor/app-server.conf")
    programs = [f"app-server-a{number}" for number in (1, 2, 3)]
    assert [found[9:-1] for found in conf.splitlines() if found.startswith("[program:")] == programs
    # A change of one would stop all of a group.
    assert "[group:" not in conf
    assert line(conf, "minfds=") == "65536"
    assert conf.count("stopwaitsecs=45\n") == conf.count("killasgroup=true\n") == 3


def test_folder_of_sockets_is_there_before_supervisor_starts(tmp_path: Path) -> None:
    spec = THREE.replace("instances: 3", "instances: {count: 3, socket_dir: /run/app-server}")
    made = render("supervisor", planned(tmp_path, spec))["supervisor/tmpfiles.d/app-server.conf"]
    assert made.text.splitlines()[-1] == "d /run/app-server 0755 app-server app-server -"
    assert made.install == "/etc/tmpfiles.d/app-server.conf"
    assert "supervisor/tmpfiles.d/app-server.conf" not in render("supervisor", planned(tmp_path, THREE))


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


def test_gunicorn_gets_settings_as_keywords(tmp_path: Path) -> None:
    spec = THREE + "service: {manager: gunicorn, workers: 4}\nsessions: {unused_lifetime_s: 60}\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a2.conf.py")
    settings = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(conf).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert settings["wsgi_app"] == (
        "app_server.gunicorn:app('myapp.py', route='a2', allow_websocket_origin=['tools.example.org'], "
        "use_xheaders=True, unused_session_lifetime_ms='60000')"
    )
    assert (settings["bind"], settings["workers"], settings["graceful_timeout"]) == ("127.0.0.1:5101", 4, 45)
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "ExecStart=") == "/opt/app-server/bin/gunicorn -c /etc/app-server/gunicorn/%i.conf.py"
    assert "WatchdogSec" not in unit


def test_gunicorn_gets_routes_as_a_dictionary(tmp_path: Path) -> None:
    spec = "apps: {a: a.py, b: {path: 'it''s.py', route: /x/y}}\nservice: gunicorn\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a1.conf.py")
    (call,) = [line for line in conf.splitlines() if line.startswith("wsgi_app = ")]
    expression = ast.literal_eval(call.removeprefix("wsgi_app = ")).partition(":")[2]
    (sources,) = ast.parse(expression, mode="eval").body.args  # type: ignore[attr-defined]
    assert ast.literal_eval(sources) == {"/a": "a.py", "/x/y": "it's.py"}


def test_gunicorn_itself_speaks_tls_where_nothing_stands_in_front(tmp_path: Path) -> None:
    spec = "apps: {a: a.py}\nproxy: none\nservice: gunicorn\ntls: {certificate: /c.pem, key: /k.pem}\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a1.conf.py")
    assert 'certfile = "/c.pem"\nkeyfile = "/k.pem"\n' in conf and "ssl_certfile" not in conf


def test_logs_are_put_away_as_the_file_says(tmp_path: Path) -> None:
    spec = THREE + "logs: {dir: /var/log/my site, rotation: {every: weekly, keep: 3, size_mb: 20, compress: no}}\n"
    rule = text(tmp_path, "logrotate", spec, "logrotate/app-server")
    assert '"/var/log/my site"/access.log "/var/log/my site"/error.log {\n' in rule
    assert {"weekly", "rotate 3", "maxsize 20M"} <= {line.strip() for line in rule.splitlines()}
    assert "compress\n" not in rule


def test_inventory_names_what_each_host_runs(tmp_path: Path) -> None:
    found = yaml.safe_load(text(tmp_path, "inventory", HOSTS, "inventory.yml"))["all"]
    assert {name: sorted(group["hosts"]) for name, group in found["children"].items()} == {
        "app_servers": ["one", "two"], "proxies": ["one"], "tunnels": [], "gateways": [],
    }  # fmt: skip
    one, two = found["hosts"]["one"], found["hosts"]["two"]
    assert (one["ansible_host"], one["ansible_user"], one["ansible_port"]) == ("one", "me", 2222)
    assert [instance["service"] for instance in two["app_server_instances"]] == [
        "app-server@b1.service", "app-server@b2.service",
    ]  # fmt: skip
    assert [file["dest"] for file in two["app_server_files"]] == [
        "/etc/systemd/system/app-server@.service",
        "/etc/systemd/system/app-server.target",
        "/etc/app-server/instances/b1.env",
        "/etc/app-server/instances/b2.env",
    ]
    assert "/etc/nginx/conf.d/app-server.conf" in [file["dest"] for file in one["app_server_files"]]


def test_braces_are_no_template_of_ansibles() -> None:
    assert dump({"a": ["{{ lookup('pipe', 'id') }}"]}) == """a:\n  - !unsafe "{{ lookup('pipe', 'id') }}"\n"""


@pytest.mark.parametrize(
    ("hosts", "proxy", "settle_s"), [(1, "nginx", 0), (2, "nginx", 11), (1, "apache", 2), (2, "apache", 11)]
)
def test_proxy_is_given_time_to_come_back_to_an_instance(
    tmp_path: Path, hosts: int, proxy: str, settle_s: int
) -> None:
    named = "".join(f"    - {{name: h{number}, address: 10.0.0.{number}}}\n" for number in range(1, hosts + 1))
    spec = (
        "apps: {myapp: myapp.py}\npublic: tools.example.org\n"
        f"proxy: {{kind: {proxy}}}\ninstances:\n  count: 3\n  hosts:\n{named}"
    )
    found = yaml.safe_load(text(tmp_path, "inventory", spec, "inventory.yml"))["all"]
    assert found["vars"]["app_server_settle_s"] == settle_s


def test_inventory_has_the_gateways_that_somebody_may_log_in_to(tmp_path: Path) -> None:
    spec = HOSTS + (
        "tunnels:\n"
        "  office: {kind: reverse, server: 'tunnel@gateway:2200', ssh: admin@gateway}\n"
        "  desk: {kind: local, server: me@elsewhere, target_port: 5006}\n"
    )
    found = yaml.safe_load(text(tmp_path, "inventory", spec, "inventory.yml"))["all"]
    assert found["children"]["gateways"] == {"hosts": {"gateway-gateway": {}}}
    gateway = {"gateway_server": "gateway", "ansible_host": "gateway", "ansible_user": "admin"}
    assert found["hosts"]["gateway-gateway"] == gateway
    office, desk = found["hosts"]["one"]["app_server_tunnels"]
    assert (office["server_user"], office["server_port"], office["listen"]) == ("tunnel", 2200, 5006)
    # People come in through what the tunnel offers, and nothing else.
    assert 'permitopen="localhost:5006"' in office["visitor_options"] and desk["visitor_options"] is None


def test_inventory_has_the_scripts_of_a_certificate_by_acme(tmp_path: Path) -> None:
    found = yaml.safe_load(text(tmp_path, "inventory", HOSTS + "tls: acme\n", "inventory.yml"))["all"]
    one, two = (
        {file["src"]: file["dest"] for file in found["hosts"][name]["app_server_files"]} for name in ("one", "two")
    )
    assert one["acme/certificate.sh"] == "/etc/app-server/certificate.sh"
    assert not [src for src in two if src.startswith("acme/")]
    assert found["vars"]["app_server_tls"]["name"] == "app-server"


TEXT = st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
BLOCKS = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(st.text("abc", min_size=1), inner) | st.lists(st.dictionaries(st.just("k"), inner)),
    max_leaves=8,
)


@given(BLOCKS)
def test_inventory_is_read_as_it_was_meant(value: object) -> None:
    assert yaml.safe_load(dump({"value": value})) == {"value": value}


PRINTABLE = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40)


@given(PRINTABLE)
def test_no_word_leaves_its_place_in_a_unit(value: str) -> None:
    try:
        shown = str(word(value))
    except OperatorError:
        return
    # As systemd takes it apart: quotes and backslashes as in a shell, then %% and $$.
    assert "\n" not in shown
    (found,) = shlex.split(shown.replace("\\\\", "\\\\")) if shown[0] == '"' else [shown.replace("\\\\", "\\")]
    assert found.replace("%%", "%").replace("$$", "$") == value


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


@given(PRINTABLE)
def test_no_value_leaves_its_place_in_python(value: str) -> None:
    try:
        assert ast.literal_eval(str(literal(value))) == value
    except OperatorError:
        assert not value.isprintable()


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(value=PRINTABLE.filter(lambda text: text == text.strip()))
@pytest.mark.parametrize("target", ["systemd", "supervisor", "gunicorn", "inventory"])
def test_no_value_of_the_file_makes_a_line_of_its_own(tmp_path: Path, target: str, value: str) -> None:
    quoted = yaml.safe_dump(value, default_style='"', width=1000).strip()
    manager = target if target != "inventory" else "systemd"
    spec = THREE + f"service: {{manager: {manager}, environment: {{MINE: {quoted}}}}}\n"
    plain = THREE + f"service: {{manager: {manager}, environment: {{MINE: x}}}}\n"
    try:
        files = render(target, planned(tmp_path, spec))
    except OperatorError:
        return
    expected = render(target, planned(tmp_path, plain))
    for name, file in files.items():
        assert len(file.text.splitlines()) == len(expected[name].text.splitlines())
