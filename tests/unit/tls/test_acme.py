"""The words of certbot for a site."""

from __future__ import annotations

from dataclasses import replace

from app_server.tls.acme import AcmeSite

SITE = AcmeSite(
    name="tools", names=("a.org", "b.org"), email="me@a.org", directory="https://acme/dir", webroot="/var/www",
    certificate="/c.pem", key="/c.key", hook="/hook.sh", test=("t",), reload=("r",), start=("s",),
)  # fmt: skip


def test_first_certificate_names_every_host_and_asks_nothing() -> None:
    assert SITE.first == (
        "certbot", "certonly", "--webroot", "--webroot-path", "/var/www", "--cert-name", "tools", "--domain", "a.org",
        "--domain", "b.org", "--server", "https://acme/dir", "--email", "me@a.org", "--agree-tos", "--non-interactive",
        "--keep-until-expiring", "--expand", "--key-type", "ecdsa", "--elliptic-curve", "secp256r1",
        "--deploy-hook", "/hook.sh",
    )  # fmt: skip


def test_account_without_an_address_says_so() -> None:
    words = replace(SITE, email=None).first
    assert "--register-unsafely-without-email" in words and "--email" not in words


def test_renewal_keeps_the_options_of_certbot() -> None:
    site = replace(SITE, certbot=("/opt/certbot", "--config-dir", "/etc/own"), config="/etc/own")
    assert site.renew == (
        "/opt/certbot", "--config-dir", "/etc/own", "renew", "--cert-name", "tools", "--no-random-sleep-on-renew",
        "--quiet",
    )  # fmt: skip
    assert site.live == "/etc/own/live/tools"


def test_challenges_are_below_the_webroot() -> None:
    assert SITE.challenges == "/var/www/.well-known/acme-challenge"
