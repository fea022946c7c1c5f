"""Plans of whole deployment files: `serve` takes every start command."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli.parser import parse
from app_server.settings import all_settings, from_flags
from tests.unit.deployment.making import planned

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
    "saved sessions": "apps: {a: a.py}\nsessions: {store: 'redis://h/1', store_ttl_s: 60, store_max_mb: 8,\n"
    "  store_encrypt: yes, store_optional: yes, restore: off}\nsecrets: {secret_key: {file: /k}}\n",
}


@pytest.mark.parametrize("text", DEPLOYMENTS.values(), ids=list(DEPLOYMENTS))
def test_start_commands_are_taken_by_serve(tmp_path: Path, text: str) -> None:
    for instance in planned(tmp_path, text).instances:
        words = instance.command[instance.command.index("serve") :]
        namespace = parse(words, {})
        assert tuple(namespace.files) == instance.apps
        from_flags({s.name: getattr(namespace, s.name) for s in all_settings() if s.name in namespace})
