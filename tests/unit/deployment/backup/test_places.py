"""What belongs to a deployment's backup."""

from __future__ import annotations

from pathlib import Path

from app_server.deployment.backup.places import files_of, left_out, store_variables, store_words
from tests.unit.deployment.daily.planned import plan

TEXT = """
name: tools
apps: {myapp: myapp.py}
public: tools.example.org
"""


def test_secrets_certificates_and_passwords_have_roles(tmp_path: Path) -> None:
    made = plan(
        tmp_path,
        TEXT + "secrets: {secret_key: {file: /etc/x/key}, cookie_secret: {credential: cookies}}\n"
        "tls: {certificate: /etc/ssl/x.pem, key: /etc/ssl/x.key}\naccess: {basic: /etc/x/users}\n",
        "host",
    )
    assert files_of(made, tmp_path) == {
        "secrets.secret_key": Path("/etc/x/key"), "tls.certificate": Path("/etc/ssl/x.pem"),
        "tls.key": Path("/etc/ssl/x.key"), "access.basic": Path("/etc/x/users"),
    }  # fmt: skip
    assert list(left_out(made)) == [
        "secrets.cookie_secret is not in a file, but in the credential cookies: keep a copy of it"
    ]
    assert store_words(made) == ["--store", "/var/lib/tools/sessions"]


def test_development_certificate_of_compose_is_beside_the_file(tmp_path: Path) -> None:
    made = plan(tmp_path, TEXT + "tls: development\nsessions: {store_ttl_s: 60}\n", "compose")
    begin = tmp_path / "certificates" / "tools.example.org"
    assert files_of(made, tmp_path) == {
        "tls.certificate": begin.with_suffix(".org.pem"), "tls.key": begin.with_suffix(".org.key"),
    }  # fmt: skip
    assert store_words(made) == ["--store", "/var/lib/app-server/sessions", "--store-ttl", "60"]


def test_address_of_redis_that_is_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    made = plan(tmp_path, TEXT + "secrets: {store: {file: /etc/x/store}}\n", "host")
    assert (store_words(made), store_variables(made)) == ([], {"APP_SERVER_STORE_FILE": "/etc/x/store"})
    off = plan(tmp_path, TEXT + "sessions: {store: 'off'}\ntls: {mode: acme}\n", "host")
    assert (store_words(off), store_variables(off)) == ([], {})
    assert list(left_out(off)) == [
        "the certificate is not included: certbot gets another one",
        "sessions are not saved by this deployment (sessions.store)",
    ]
