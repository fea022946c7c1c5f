"""Each rule has a deployment that trips it, and one beside it that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment import rules
from tests.unit.deployment.making import loaded, planned

APP = "apps: {a: a.py}\n"
HOSTS = "hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.2}]"

# Rule, what trips it, what must not, and what the former's fault begins with.
CASES = [
    (
        "pings_come_before_the_proxy_gives_up",
        "proxy: {timeouts: {websocket_s: 60}}\n",
        "proxy: {timeouts: {websocket_s: 60}}\nsessions: {ping_interval_s: 20}\n",
        "deploy.yaml:2:20: proxy.timeouts.websocket_s: the proxy cuts a socket after 60 s of silence, and browsers are "
        "pinged every 37 s. Make it at least 74, or ping sooner: sessions.ping_interval_s.",
    ),
    (
        "stops_leave_time_to_drain",
        "service: {drain_s: 60, stop_timeout_s: 30}\n",
        "service: {drain_s: 60, stop_timeout_s: 70}\n",
        "deploy.yaml:2:24: service.stop_timeout_s: instances are killed after 30 s, but sessions have 60 s",
    ),
    (
        "stops_leave_time_to_drain",
        "containers: {grace_s: 10}\n",
        "containers: {grace_s: 10}\nservice: {drain_s: 5}\n",
        "deploy.yaml:2:14: containers.grace_s: instances are killed after 10 s, but sessions have 30 s",
    ),
    (
        "bases_are_no_products",
        "containers: {build_context: ., images: {app: 'app-server:2'}}\n",
        "containers: {build_context: ., images: {app: 'site/app-server:2'}}\n",
        "deploy.yaml:2:41: containers.images.app: app-server:2 is the image that others are built from, and would hold "
        "this site's applications. Leave it out, or choose another name.",
    ),
    (
        "bases_are_no_products",
        "containers: {images: {app: site, proxy: site}}\n",
        "containers: {images: {app: site, proxy: front}}\n",
        "deploy.yaml:2:23: containers.images.app: site is the proxy's image too. Give each a name of its own.",
    ),
    (
        "ports_are_used_once",
        "instances: {port: 78, count: 3}\n",
        "instances: {port: 81, count: 3}\n",
        "deploy.yaml:2:13: instances.port: a3 would listen on port 80, which the proxy has. Choose another port.",
    ),
    (
        "ports_are_used_once",
        "instances: {port: 65530, count: 9}\n",
        "instances: {port: 65530, count: 6}\n",
        "deploy.yaml:2:13: instances.port: a7 would listen on port 65536. Begin with a smaller one.",
    ),
    (
        "ports_are_used_once",
        "tls: {certificate: /c}\npublic: {port: 80}\n",
        "tls: {certificate: /c}\npublic: {port: 8443}\n",
        "deploy.yaml:1:1: proxy: http and https would both listen on port 80",
    ),
    (
        "local_tunnels_have_ports_of_their_own",
        "tunnels: {x: {kind: local, server: a@b}, y: {kind: local, server: c@d, listen: 5006}}\n",
        "tunnels: {x: {kind: local, server: a@b}, y: {kind: reverse, server: c@d, listen: 5006}}\n",
        "deploy.yaml:2:72: tunnels.y.listen: port 5006 of that side is the tunnel x's. Choose another port.",
    ),
    (
        "apache_has_a_thread_for_each_session",
        "proxy: apache\nsessions: {max_sessions: 3000}\ninstances: 3\n",
        "proxy: apache\nsessions: {max_sessions: 1000}\ninstances: 3\n",
        "deploy.yaml:3:12: sessions.max_sessions: 9000 sessions need as many of Apache's threads, and 8000 are much",
    ),
    (
        "apache_has_a_thread_for_each_session",
        "proxy: apache\n",
        "proxy: nginx\n",
        "deploy.yaml:2:1: proxy: each open page holds one of Apache's threads, and nothing limits how many there are.",
    ),
    (
        "signatures_need_a_key",
        "sessions: {ids: signed}\n",
        "sessions: {ids: signed}\nsecrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:2:12: sessions.ids: signed sessions need a secret key.",
    ),
    (
        "instances_share_a_key",
        "access: {external: 'http://127.0.0.1:4180/auth'}\ninstances: 3\n",
        "access: {external: 'http://127.0.0.1:4180/auth'}\ninstances: 3\nsecrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:2:10: access.external: each instance signs sessions with a key of its own, and no other one"
        " can take over its pages.",
    ),
    (
        "limits_need_isolation",
        "sessions: {limits: {callback_s: 5}}\n",
        "sessions: {limits: {callback_s: 5}, isolation: process}\n",
        "deploy.yaml:2:21: sessions.limits.callback_s: callback_s needs sessions in processes of their own.",
    ),
    (
        "several_instances_need_a_proxy",
        "proxy: none\ninstances: 3\n",
        "proxy: none\ninstances: {processes: 3}\n",
        "deploy.yaml:3:1: instances: without a proxy people reach one address, but there are 3 instances.",
    ),
    (
        "proxy_is_needed_for_what_only_it_does",
        "proxy: none\naccess: {basic: /etc/users}\n",
        "proxy: nginx\naccess: {basic: /etc/users}\n",
        "deploy.yaml:3:10: access.basic: is done by a proxy, and there is none. Take one: proxy: nginx.",
    ),
    (
        "tls_has_what_it_needs",
        "tls: files\n",
        "tls: {mode: files, certificate: /c}\n",
        "deploy.yaml:2:1: tls: files: no certificate is named. Set tls.certificate and tls.key.",
    ),
    (
        "tls_has_what_it_needs",
        "tls: {mode: acme, certificate: /c}\npublic: a.example.org\n",
        "tls: acme\npublic: a.example.org\n",
        "deploy.yaml:2:19: tls.certificate: has no meaning with mode acme. Leave one of them out.",
    ),
    (
        "tls_has_what_it_needs",
        "public: {scheme: https}\n",
        "public: {scheme: https}\nproxy: {trusted_proxies: 10.0.0.0/8}\n",
        "deploy.yaml:2:10: public.scheme: is https without tls: another proxy in front must take care of it",
    ),
    (
        "authorities_sign_public_names_alone",
        "tls: acme\n",
        "tls: {acme: {directory: 'https://ca.example/dir'}, mode: acme}\n",
        "deploy.yaml:1:1: public.hosts[0]: no public authority gives a certificate for localhost.",
    ),
    (
        "one_authenticator_decides",
        "access: {basic: /users, external: 'http://127.0.0.1:4180/auth'}\n",
        "access: {external: 'http://127.0.0.1:4180/auth'}\n",
        "deploy.yaml:2:25: access.external: access.basic already says who is let in. Leave one of them out.",
    ),
    (
        "secrets_come_from_one_place",
        "secrets: {secret_key: {file: /k, environment: K}}\n",
        "secrets: {secret_key: {file: /k}}\n",
        "deploy.yaml:2:11: secrets.secret_key: expected one of file, environment and credential, not 2",
    ),
    (
        "secrets_come_from_one_place",
        "secrets: {secret_key: {credential: k}}\nservice: supervisor\n",
        "secrets: {secret_key: {credential: k}}\nservice: systemd\n",
        "deploy.yaml:2:24: secrets.secret_key.credential: credentials are systemd's, and the manager is supervisor.",
    ),
    (
        "secrets_come_from_one_place",
        "service: {environment: {BOKEH_SECRET_KEY: abc}}\n",
        "service: {environment: {BOKEH_LOG_LEVEL: info}}\n",
        "deploy.yaml:2:25: service.environment.BOKEH_SECRET_KEY: is a secret's. Say below secrets where it comes from.",
    ),
    (
        "hosts_have_names_of_their_own",
        "instances: {hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.1}]}\n",
        f"instances: {{{HOSTS}}}\n",
        "deploy.yaml:2:65: instances.hosts[1].address: 10.0.0.1 is another host's too",
    ),
    (
        "sockets_stay_on_their_machine",
        f"instances: {{socket_dir: /run/x, {HOSTS}}}\n",
        "instances: {socket_dir: /run/x}\n",
        "deploy.yaml:2:13: instances.socket_dir: Unix sockets cannot be reached from another host.",
    ),
    (
        "sockets_stay_on_their_machine",
        f"instances: {{socket_dir: /{'x' * 100}}}\n",
        f"instances: {{socket_dir: /{'x' * 90}}}\n",
        f"deploy.yaml:2:13: instances.socket_dir: /{'x' * 100}/a1.sock is longer than 107 bytes",
    ),
    (
        "visitors_have_enough_connections",
        "rate_limits: {connections: 2}\n",
        "rate_limits: {connections: 20}\n",
        "deploy.yaml:2:15: rate_limits.connections: one page of one visitor may need 8 connections.",
    ),
    (
        "one_address_cannot_have_more_than_there_is",
        "sessions: {max_sessions: 5, max_sessions_per_address: 9}\n",
        "sessions: {max_sessions: 50, max_sessions_per_address: 9}\n",
        "deploy.yaml:2:29: sessions.max_sessions_per_address: is more than an instance holds (5). Make it smaller.",
    ),
    (
        "embedding_sites_can_show_it",
        "embedding: https://acme.com\n",
        "embedding: https://acme.com\ntls: {certificate: /c}\n",
        "deploy.yaml:2:1: embedding: pages of https://acme.com cannot load anything from http://localhost. Set up tls.",
    ),
    (
        "a_session_fits_into_its_container",
        "sessions: {isolation: process, limits: {session_memory_mb: 2000}}\n",
        "sessions: {isolation: process, limits: {session_memory_mb: 2000}}\ncontainers: {memory_mb: 4000}\n",
        "deploy.yaml:2:41: sessions.limits.session_memory_mb: is more than the memory of a whole container (1024 MB).",
    ),
]


def told(folder: Path, text: str, name: str) -> list[str]:
    """What one rule says of a deployment."""
    one = loaded(folder, APP + text)
    verdicts = getattr(rules, name)(planned(folder, APP + text))
    return [str(one.fault(each.path, each.what, each.hint)).replace(f"{folder}/", "") for each in verdicts]


@pytest.mark.parametrize(("name", "bad", "good", "message"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(
    tmp_path: Path, name: str, bad: str, good: str, message: str
) -> None:
    found = told(tmp_path, bad, name)
    assert found and found[0].startswith(message)
    assert told(tmp_path, good, name) == []


def test_every_public_name_is_an_origin_of_every_instance(tmp_path: Path) -> None:
    plan = planned(tmp_path, APP + "public: [foo.com, bar.com]\ninstances: 2\n")
    assert list(rules.every_public_name_is_an_origin(plan)) == []
    pool = plan.pools[0]
    broken = replace(pool.instances[1], flags=("--allow-websocket-origin", "foo.com"))
    worse = replace(plan, pools=(replace(pool, instances=(pool.instances[0], broken)),))
    assert [verdict.what for verdict in rules.every_public_name_is_an_origin(worse)] == [
        "pages of bar.com could not connect to a2"
    ]


def test_applications_have_places_of_their_own(tmp_path: Path) -> None:
    text = "apps: {a: a.py, b: {path: b.py, route: /a}, c: {path: static.py}, d: d.py}\n"
    found = [(v.path, v.what) for v in rules.applications_have_places_of_their_own(planned(tmp_path, text))]
    assert found == [
        (("apps", "b", "route"), "a is at /a too"),
        (("apps", "c", "path"), "/static is the server's own"),
    ]


def test_every_rule_has_a_case() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    assert [rule.__name__ for rule in rules.RULES if rule.__name__ not in here] == []
