"""A deployment worked out: names, addresses, origins, and commands that `serve` takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.apps import routes as served
from app_server.cli.parser import parse
from app_server.deployment.plan import letter
from app_server.deployment.routes import route_for, segment_route
from app_server.settings import all_settings, from_flags
from tests.unit.deployment.making import faults, planned

DEPLOYMENTS = {
    "minimal": "apps: {a: a.py}\n",
    "direct": "apps: {a: a.py}\nproxy: none\n",
    "direct with tls": "apps: {a: a.py}\nproxy: none\ntls: {certificate: /c.pem, key: /k.pem}\n",
    "six": "apps: {a: a.py}\npublic: foo.com\ninstances: 6\ntls: {certificate: /c.pem}\n",
    "sockets": "apps: {a: a.py}\ninstances: {count: 2, socket_dir: /run/x}\npublic: {hosts: [foo.com], prefix: /t/}\n",
    "hosts": "apps: {a: a.py, b: {path: b, args: ['-x', y z]}}\n"
    "instances: {count: 2, hosts: [{name: one, address: 10.0.0.1}, {name: two, address: '::2', count: 1}]}\n",
    "everything": "apps: {a: a.py}\nembedding: https://acme.com\nsessions: {ids: signed, token_expiry_s: 60,\n"
    "  unused_lifetime_s: 30, ping_interval_s: 20}\nlogs: {level: debug}\n"
    "server: {websocket_max_message_size_bytes: 1000, disable_index: yes, include_headers: [a, b]}\n"
    "tunnels: {t: {kind: local, server: me@there, listen: 7000}}\naccess: {external: http://127.0.0.1:4180/auth}\n",
}


@pytest.mark.parametrize("text", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def test_start_commands_are_taken_by_serve(tmp_path: Path, text: str) -> None:
    for instance in planned(tmp_path, text).instances:
        words = instance.command[instance.command.index("serve") :]
        namespace = parse(words, {})
        assert tuple(namespace.files) == instance.apps
        from_flags({s.name: getattr(namespace, s.name) for s in all_settings() if s.name in namespace})


def test_instances_have_names_ports_and_routes(tmp_path: Path) -> None:
    plan = planned(tmp_path, DEPLOYMENTS["hosts"])
    assert [(i.name, i.route, i.server) for i in plan.instances] == [
        ("a1", "a1", "10.0.0.1:5100"),
        ("a2", "a2", "10.0.0.1:5101"),
        ("b1", "b1", "[::2]:5100"),
        ("b-a1", "b-a1", "10.0.0.1:5102"),
        ("b-a2", "b-a2", "10.0.0.1:5103"),
        ("b-b1", "b-b1", "[::2]:5101"),
    ]
    assert plan.instances[3].command[-3:] == ("--args", "-x", "y z")
    assert [pool.name for pool in plan.pools] == ["a", "b"]
    assert [(m.name, len(m.instances), m.is_proxy) for m in plan.machines] == [("one", 4, True), ("two", 2, False)]


def test_single_instance_needs_no_route(tmp_path: Path) -> None:
    (instance,) = planned(tmp_path).instances
    assert instance.command[:3] == ("/opt/app-server/bin/app-server", "serve", "myapp.py")
    assert instance.flags[:7] == (
        "--address", "127.0.0.1", "--port", "5100", "--allow-websocket-origin", "tools.example.org", "--use-xheaders",
    )  # fmt: skip
    assert "--route" not in instance.flags


def test_every_public_name_is_an_origin(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py}
    public: {hosts: [foo.com, "::1"], port: 8443}
    tls: {certificate: /c.pem}
    embedding: [https://acme.com, "http://acme.com:8080"]
    tunnels: {t: {kind: local, server: me@there, listen: 7000}}
    """
    plan = planned(tmp_path, text)
    assert plan.site.origins == ("foo.com:8443", "[::1]:8443", "localhost:7000", "acme.com", "acme.com:8080")
    assert plan.site.url == "https://foo.com:8443/"
    assert (plan.listen_http, plan.listen_https) == (80, 8443)


def test_server_settings_are_checked(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py}
    server:
      keep_aliv_ms: 5
      port: 80
      secret_key: abc
      dev: yes
      mem_log_frequency_ms: often
      index: --
    """
    found = faults(tmp_path, text)
    assert (
        found[0] == "deploy.yaml:3:3: server.keep_aliv_ms: is not a setting of the server. Did you mean keep_alive_ms?"
    )
    assert found[1] == "deploy.yaml:4:3: server.port: is told by instances.port. Say it there."
    assert found[2].startswith("deploy.yaml:5:3: server.secret_key: is a secret, and has no place in a file.")
    assert found[3] == "deploy.yaml:6:3: server.dev: has no place in a deployment. Leave it out."
    assert found[4] == "deploy.yaml:7:3: server.mem_log_frequency_ms: expected a whole number, at least 0, not 'often'"
    assert found[5].startswith("deploy.yaml:8:3: server.index: begins with a dash, as a flag does: '--'.")


@pytest.mark.parametrize("path", ["a.py", "x/b.ipynb", "c", "c.d/", "./e f.py", "/g/h.tar.py", "i.txt"])
def test_routes_are_those_of_serve(path: str) -> None:
    assert route_for(path) == served.route_for(path)
    assert segment_route(path) == served.segment_route(path)


def test_hosts_are_lettered() -> None:
    assert [letter(n) for n in (0, 25, 26, 27, 701, 702)] == ["a", "z", "aa", "ab", "zz", "aaa"]
