"""The public address, and the origins that may connect."""

from __future__ import annotations

from pathlib import Path

from tests.unit.deployment.making import planned


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
