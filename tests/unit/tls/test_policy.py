"""The guideline's data, and the directives made of it."""

from __future__ import annotations

import pytest

from app_server.errors import OperatorError
from app_server.tls.guideline import guideline
from app_server.tls.installed import nginx_library, openssl_library
from app_server.tls.policy import Library, apache_directives, hsts, nginx_directives, parse_version, policy

OLD = Library("OpenSSL", (3, 0, 19))
NEW = Library("OpenSSL", (3, 5, 1))
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)


def test_guideline_says_its_version_date_and_source() -> None:
    assert str(guideline()) == "Mozilla's guideline 6.0 of 2026-04-06"
    assert guideline().source == "https://ssl-config.mozilla.org/guidelines/6.0.json"
    assert set(guideline().profiles) == {"intermediate", "modern"}


def test_nginx_gets_the_intermediate_profile_without_what_its_openssl_cannot_do() -> None:
    assert nginx_directives("intermediate", OLD, (1, 22, 1)) == (
        '# Mozilla\'s guideline 6.0 of 2026-04-06, "intermediate"',
        "# X25519MLKEM768 is left out: it needs OpenSSL 3.5, and this is OpenSSL 3.0.19.",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"ssl_ciphers {CIPHERS};",
        "ssl_prefer_server_ciphers off;",
        "ssl_ecdh_curve X25519:prime256v1:secp384r1;",
        "ssl_session_cache shared:tls:10m;  # about 40,000 sessions",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;  # before 1.23.2 their key never changes",
    )


def test_newer_nginx_gets_the_modern_profile_with_the_hybrid_group_and_tickets() -> None:
    assert nginx_directives("modern", NEW, (1, 26, 3)) == (
        '# Mozilla\'s guideline 6.0 of 2026-04-06, "modern"',
        "ssl_protocols TLSv1.3;",
        "ssl_prefer_server_ciphers off;",
        "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1:secp384r1;",
        "ssl_session_cache shared:tls:10m;  # about 40,000 sessions",
        "ssl_session_timeout 1d;",
    )


def test_apache_gets_the_intermediate_profile() -> None:
    assert apache_directives("intermediate", NEW) == (
        '# Mozilla\'s guideline 6.0 of 2026-04-06, "intermediate"',
        "SSLProtocol -all +TLSv1.2 +TLSv1.3",
        f"SSLCipherSuite {CIPHERS}",
        "SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256",
        "SSLOpenSSLConfCmd Groups X25519MLKEM768:X25519:prime256v1:secp384r1",
        "SSLHonorCipherOrder off",
        "SSLCompression off",
        "# Their key changes only when Apache restarts.",
        "SSLSessionTickets off",
    )


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        (OLD, "and this is OpenSSL 3.0.19."),
        (Library(), "and which one is there is not known."),
        (Library("LibreSSL", (4, 1, 0)), "and this is LibreSSL 4.1.0."),
    ],
)
def test_hybrid_group_is_left_out_where_the_library_is_not_known_to_have_it(library: Library, reason: str) -> None:
    found = policy("intermediate", library)
    assert found.groups == ("X25519", "prime256v1", "secp384r1")
    assert found.left_out == (f"X25519MLKEM768 is left out: it needs OpenSSL 3.5, {reason}",)


def test_openssl_without_tls_1_3_is_refused() -> None:
    with pytest.raises(OperatorError) as refusal:
        policy("modern", Library("OpenSSL", (1, 1, 0)))
    assert str(refusal.value) == (
        "tls: OpenSSL 1.1.0 has no TLS 1.3. Use OpenSSL 1.1.1 or newer; every distribution with updates has it."
    )


def test_hsts_lasts_two_years_and_leaves_subdomains_alone() -> None:
    assert hsts("intermediate") == "max-age=63072000"
    assert hsts("modern", include_subdomains=True) == "max-age=63072000; includeSubDomains"


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("built with OpenSSL 3.0.22 25 Aug 2026 (running with OpenSSL 3.0.19 27 Jan 2026)", OLD),
        ("nginx version: nginx/1.29.4\nbuilt with OpenSSL 3.5.1 1 Jul 2025", NEW),
        ("built with LibreSSL 4.1.0", Library("LibreSSL", (4, 1, 0))),
        ("nginx version: nginx/1.22.1", Library()),
    ],
)
def test_nginx_tells_the_library_that_it_runs_with(said: str, library: Library) -> None:
    assert nginx_library(said) == library


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("OpenSSL 3.0.2 15 Mar 2022 (Library: OpenSSL 3.0.19 27 Jan 2026)", OLD),
        ("OpenSSL 1.1.1w  11 Sep 2023", Library("OpenSSL", (1, 1, 1))),
        ("nonsense", Library()),
    ],
)
def test_openssl_tells_the_library_that_is_loaded(said: str, library: Library) -> None:
    assert openssl_library(said) == library


def test_version_is_found_in_what_programs_print() -> None:
    assert parse_version("Server version: Apache/2.4.71 (Debian)") == (2, 4, 71)
    with pytest.raises(ValueError, match="no version in 'nginx'"):
        parse_version("nginx")
