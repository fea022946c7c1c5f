"""What browsers meet: bare values of each block, its defaults, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.deployment.spec import front
from tests.unit.deployment.spec.reading import fault, read, said


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (front.Public, "Tools.example.org", {"hosts": ("tools.example.org",)}),
        (front.Public, ["a.org", "b.org"], {"hosts": ("a.org", "b.org")}),
        (front.Proxy, "apache", {"kind": "apache"}),
        (front.Proxy, "no", {"kind": "none"}),
        (front.Tls, "acme", {"mode": "acme"}),
        (front.Tls, "no", {"mode": "off"}),
        (front.Tls, {"mode": "acme", "acme": "me@example.org"}, {"mode": "acme", "acme": {"email": "me@example.org"}}),
        (front.Embedding, "https://a.org", {"origins": ("https://a.org",)}),
        (front.BasicAccess, "/etc/htpasswd", {"file": "/etc/htpasswd"}),
        (front.ExternalAccess, "http://127.0.0.1:4180/oauth2/auth", {"url": "http://127.0.0.1:4180/oauth2/auth"}),
        (front.Headers, {"frames": "no"}, {"frames": "none"}),
    ],
)
def test_bare_values(kind: Any, value: object, meant: dict[str, Any]) -> None:
    assert said(kind, value) == meant


def test_what_holds_where_nothing_is_said() -> None:
    proxy, tls, headers = read(front.Proxy, None), read(front.Tls, None), read(front.Headers, None)
    assert (proxy.kind, proxy.http2, proxy.static, proxy.catch_all) == ("nginx", True, False, True)
    assert (proxy.timeouts.connect_s, proxy.timeouts.page_s, proxy.timeouts.websocket_s) == (3, 300, 3600)
    assert (tls.mode, tls.profile, tls.hsts, tls.hsts_subdomains, tls.redirect) == (
        None, "intermediate", True, False, True,
    )  # fmt: skip
    assert (headers.enabled, headers.frames, headers.referrer) == (True, "embedding", "same-origin")
    assert read(front.Access, None) == front.Access(basic=None, external=None, allow=())


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (front.Public, [], "hosts: Tuple should have at least 1 item after validation, not 0"),
        (front.Public, "a b", "hosts.0: expected a host's name or address, not 'a b'"),
        (front.Public, {"scheme": "ftp"}, "scheme: expected one of http, https, not 'ftp'"),
        (front.Public, {"prefix": "tools"},
         "prefix: expected a path such as /tools, of letters, digits and '/._~-', not 'tools'"),
        (front.Proxy, "caddy", "kind: expected one of nginx, apache, none, not 'caddy'"),
        (front.Proxy, {"version": "1"}, "version: expected a version such as 1.26.3, or detect, not '1'"),
        (front.Proxy, {"timeouts": "5"}, "timeouts: expected lines of the form `key: value`, not '5'"),
        (front.Timeouts, {"connect_s": "76"}, "connect_s: expected a number of seconds from 0.1 to 75, not '76'"),
        (front.Timeouts, {"websocket_s": "0.5"}, "websocket_s: expected a number of seconds, at least 1, not '0.5'"),
        (front.Tls, "yes", "mode: expected one of off, files, acme, development, not 'yes'"),
        (front.Tls, {"profile": "old"}, "profile: expected one of intermediate, modern, not 'old'"),
        (front.Tls, {"openssl": "detect"}, "openssl: expected a version such as 1.26.3, not 'detect'"),
        (front.Embedding, "*",
         "origins.0: expected an origin such as https://www.example.org, without a path, not '*'"),
        (front.Headers, {"extra": {"X-A": "a\nb"}},
         r"extra.X-A: expected a header's value: printable ASCII, not 'a\nb'"),
        (front.RateLimits, {"pages_per_s": "0"}, "pages_per_s: expected a number from 0.01 to 10000, not '0'"),
        (front.RateLimits, {"burst": "10001"}, "burst: expected a whole number from 0 to 10000, not '10001'"),
        (front.RateLimits, {"connections": "0"}, "connections: expected a whole number from 1 to 100000, not '0'"),
        (front.Access, {"allow": "10.0.0.1/8"},
         "allow.0: expected an address or a network such as 10.0.0.0/8, not '10.0.0.1/8'"),
        (front.ExternalAccess, {"url": "http://a", "sign_in": "login"},
         "sign_in: expected an address that begins with http:// or https://, or a path, not 'login'"),
        (front.Maintenance, {"retry_after_s": "86401"},
         "retry_after_s: expected a whole number from 1 to 86400, not '86401'"),
        (front.Maintenance, {"message": ""}, "message: expected text on one line without control characters, not ''"),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Any, value: object, message: str) -> None:
    assert fault(kind, value) == message
