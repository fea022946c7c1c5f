#!/usr/bin/env python3
"""Generate deploy/deploy.example.yaml: every key that a deployment can have, each with its description.

The descriptions come from the schema; the values are here. Keys that the example cannot combine with the others are
comments. Run it after a change of app_server/deployment/spec/: .venv/bin/python tools/deploy_example.py
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from app_server.deployment.schema import description
from app_server.deployment.spec import Spec

TARGET = Path(__file__).resolve().parents[1] / "deploy" / "deploy.example.yaml"
WIDTH = 118

HEAD = """\
# Every key of a deployment. Only `apps` is required, and three lines suffice for an application on one host:
#
#     apps:
#       myapp: myapp.py
#     public: tools.example.org
#
# A key that is left out has the default in its comment. `app-server config schema` prints all this as a JSON Schema
# for editors; blocks and keys that begin with x- are your own.
# Derived from the schema by tools/deploy_example.py, which a test holds it to.

"""


class Commented:
    """A value that is written as a comment, because it cannot be combined with another one of the example."""

    def __init__(self, value: object) -> None:
        self.value = value


VALUES: dict[str, Any] = {
    "name": "tools",
    "apps": {
        "sales": {
            "path": "sales.py",
            "route": "/reports/sales",
            "args": ["--region", "north"],
            "isolation": "process",
            "limits": {"session_memory_mb": 512, "session_cpu_s": 600, "callback_s": 30},
            "access": {"users": ["*@example.org"], "groups": ["analysts"]},
            "instances": {"count": 2, "port": 5200},
        },
        "maps": "maps",
    },
    "include": ["data/*.csv"],
    "requirements": ["requirements.txt"],
    "public": {"hosts": ["tools.example.org", "tools.example.com"], "port": 443, "scheme": "https", "prefix": "/tools"},
    "instances": {
        "count": 6,
        "port": 5100,
        "address": Commented("127.0.0.1"),
        "socket_dir": Commented("/run/tools"),
        "hosts": [
            {"name": "one", "address": "10.0.0.11", "count": 4, "ssh": "admin@one.example.org"},
            {"name": "two", "address": "10.0.0.12"},
        ],
        "processes": 1,
    },
    "proxy": {
        "kind": "nginx",
        "version": "1.22.1",
        "http_port": 80,
        "https_port": 443,
        "address": Commented("203.0.113.5"),
        "http2": True,
        "static": True,
        "timeouts": {"connect_s": 3, "page_s": 300, "websocket_s": 3600},
        "include": "/etc/tools/nginx-extra.conf",
        "trusted_proxies": ["192.0.2.0/24"],
        "catch_all": True,
        "hosts": [{"name": "edge", "address": "10.0.0.10", "ssh": "admin@edge.example.org"}],
    },
    "tls": {
        "mode": "files",
        "certificate": "/etc/ssl/tools/fullchain.pem",
        "key": "/etc/ssl/tools/key.pem",
        "acme": {
            "email": "admin@example.org",
            "directory": "https://acme-v02.api.letsencrypt.org/directory",
            "webroot": "/var/www/acme",
            "name": "tools",
            "image": "registry.example.org/certbot:5",
            "authority": "/etc/ssl/authority.pem",
        },
        "profile": "intermediate",
        "openssl": "3.0.15",
        "hsts": True,
        "hsts_subdomains": False,
        "redirect": True,
    },
    "embedding": {"origins": ["https://www.example.org"]},
    "headers": {
        "enabled": True,
        "frames": "embedding",
        "referrer": "same-origin",
        "extra": {"Permissions-Policy": "camera=(), microphone=()"},
    },
    "rate_limits": {"pages_per_s": 5, "burst": 20, "connections": 50},
    "access": {
        "basic": {"file": "/etc/tools/htpasswd", "realm": "Tools"},
        "external": Commented(
            {
                "url": "http://127.0.0.1:4180/oauth2/auth",
                "sign_in": "/oauth2/start",
                "pass_path": "/oauth2",
                "user_header": "X-Auth-Request-User",
                "groups_header": "X-Auth-Request-Groups",
            }
        ),
        "allow": ["10.0.0.0/8", "203.0.113.0/24"],
        "users": ["ann"],
        "groups": ["staff"],
        "contact": "help@example.org",
    },
    "maintenance": {
        "file": "/etc/tools/maintenance",
        "message": "We are at work on this site. It will be back soon.",
        "retry_after_s": 120,
        "allow": ["10.0.0.0/8"],
    },
    "sessions": {
        "ids": "signed",
        "token_expiry_s": 300,
        "max_sessions": 200,
        "max_sessions_per_address": 20,
        "max_sessions_per_user": 10,
        "unused_lifetime_s": 30,
        "ping_interval_s": 20,
        "store": "redis://redis.example.org:6379",
        "store_ttl_s": 86400,
        "store_max_mb": 64,
        "store_encrypt": True,
        "store_optional": False,
        "restore": "inputs",
        "isolation": "process",
        "limits": {"session_memory_mb": 1024, "session_cpu_s": 3600, "callback_s": 60},
    },
    "secrets": {
        "secret_key": {
            "file": "/etc/tools/secret_key",
            "environment": Commented("TOOLS_SECRET_KEY"),
            "credential": Commented("secret_key"),
        },
        "cookie_secret": {"file": "/etc/tools/cookie_secret"},
        "oidc_client_secret": {"file": "/etc/tools/oidc_client_secret"},
        "oauth_client_secret": {"file": "/etc/tools/oauth_client_secret"},
        "ssl_password": {"file": "/etc/tools/ssl_password"},
        "store": Commented({"file": "/etc/tools/store"}),
    },
    "console": {"port": 5300, "auth": "/etc/tools/operators", "audit": "/var/log/tools/operators.log"},
    "server": {"websocket_max_message_size_bytes": 20971520, "basic_auth": "/etc/tools/htpasswd"},
    "logs": {
        "format": "json",
        "server": "json",
        "level": "info",
        "dir": "/var/log/tools",
        "rotation": {"every": "daily", "keep": 14, "size_mb": 100, "compress": True},
    },
    "service": {
        "manager": "systemd",
        "user": "tools",
        "group": "tools",
        "drain_s": 0,
        "stop_timeout_s": 15,
        "watchdog_s": 30,
        "restart_s": 2,
        "open_files": 65536,
        "memory_mb": 2048,
        "cpus": 2,
        "workers": 1,
        "environment": {"TZ": "Europe/Berlin"},
        "secrets": {"file": ".env", "credential": Commented("tools-variables")},
    },
    "image": {"base": "registry.example.org/app-server:0.1.0"},
    "containers": {
        "images": {"app": "registry.example.org/tools:1.2", "proxy": "registry.example.org/tools-nginx:1.2"},
        "publish": {"address": "127.0.0.1", "http": 8080, "https": 8443},
        "memory_mb": 2048,
        "cpus": 1,
        "pids": 512,
        "grace_s": 15,
        "subnet": "172.30.0.0/24",
        "build_context": ".",
        "source": "examples",
        "namespace": "tools",
        "valkey": {"image": "registry.example.org/valkey:8", "memory_mb": 512},
        "swarm": {
            "secrets_version": 1,
            "instances_on": ["node.labels.apps == yes"],
            "proxies_on": ["node.labels.edge == yes"],
            "monitor_s": 15,
        },
    },
    "kubernetes": {
        "ingress": {
            "class_name": "nginx",
            "tls_secret": Commented("tools-web"),
            "annotations": {"nginx.ingress.kubernetes.io/proxy-read-timeout": "3600"},
        },
        "gateway": Commented({"name": "edge", "namespace": "infrastructure", "section": "https"}),
        "callers": ["infrastructure"],
        "image_pull_secrets": ["registry"],
        "spread": True,
        "prometheus": "monitoring",
        "monitor": "pod",
        "autoscale": Commented({"max": 20, "sessions": 40}),
        "assigned_users": False,
    },
    "monitoring": {"round_trip_s": 0.5, "labels": {"team": "data"}},
    "tunnels": {
        "desk": {
            "kind": "local",
            "server": "me@remote.example.org", "ssh": "admin@remote.example.org",
            "jump": ["me@gateway.example.org"],
            "listen": 5006,
            "target_host": "localhost",
            "target_port": 5100,
            "identity": "/etc/tools/tunnel_key",
            "known_hosts": "/etc/tools/known_hosts",
            "user": "tools",
            "alive_interval_s": 15,
            "alive_count": 3,
        }
    },
    "paths": {
        "command": ["/opt/tools/bin/app-server"],
        "apps": "/srv/tools",
        "etc": "/etc/tools",
        "run": "/run/tools",
        "state": "/var/lib/tools",
        "static": "/usr/share/tools/static",
        "mode": "0640",
    },
    "environments": {
        "staging": {"public": "staging.example.org", "tls": {"mode": "development", "certificate": None, "key": None}},
    },
}  # fmt: skip


def example() -> str:
    """The text of the example."""
    lines: list[str] = []
    for name in Spec.model_fields:
        lines += [*_entry(Spec, name, VALUES[name], 0, commented=False), ""]
    return HEAD + "\n".join(lines).rstrip("\n") + "\n"


def block_of(kind: Any) -> type[BaseModel] | None:
    """The block that a field or its elements consist of; None for plain values."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    found = [block_of(inner) for inner in get_args(kind)] if get_origin(kind) is not None else []
    return next((inner for inner in found if inner is not None), None)


def _entry(model: type[BaseModel], name: str, value: Any, depth: int, *, commented: bool) -> Iterator[str]:
    """The lines of one key: its description above it, its value, or its block below."""
    if isinstance(value, Commented):
        value, commented = value.value, True
    indent = "  " * depth
    sign = "# " if commented else ""
    about = description(model, name)
    for line in textwrap.wrap(about, WIDTH - len(indent) - 2, break_long_words=False, break_on_hyphens=False):
        yield f"{indent}# {line}"
    block = block_of(model.model_fields[name].annotation)
    yield from _value(f"{indent}{sign}{name}:", value, block, depth, commented)


def _value(start: str, value: Any, block: type[BaseModel] | None, depth: int, commented: bool) -> Iterator[str]:
    indent, sign = "  " * (depth + 1), "# " if commented else ""
    if isinstance(value, Mapping) and block is not None and set(value) <= set(block.model_fields):
        yield start
        for key in block.model_fields:
            if key not in value and depth == 0:
                raise SystemExit(f"deploy_example.py: VALUES has no {start.strip()} {key}")
            if key in value:
                yield from _entry(block, key, value[key], depth + 1, commented=commented)
    elif isinstance(value, Mapping) and value:
        yield start
        for key, item in value.items():
            yield from _value(f"{indent}{sign}{key}:", item, block, depth + 1, commented)
    elif isinstance(value, list) and block is not None:
        yield start
        first = [line for key, each in value[0].items() for line in _entry(block, key, each, 0, commented=commented)]
        yield from (f"{indent}{'- ' if number == 0 else '  '}{line}" for number, line in enumerate(first))
        for item in value[1:]:
            yield f"{indent}{sign}- {{{', '.join(f'{key}: {scalar(each)}' for key, each in item.items())}}}"
    else:
        yield f"{start} {scalar(value)}"


def scalar(value: Any) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    plain = text.replace("/", "").replace(".", "").replace("-", "").replace("_", "").replace("@", "").replace(":", "")
    quiet = text[0] not in "-:@" and ": " not in text and not text.endswith(":")
    return text if not isinstance(value, str) or (plain.replace(" ", "").isalnum() and quiet) else f'"{text}"'


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        print(example(), end="")
    else:
        TARGET.write_text(example(), encoding="utf-8")
