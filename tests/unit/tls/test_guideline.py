"""Mozilla's guideline, as data."""

from __future__ import annotations

import pytest

from app_server.tls.guideline import Guideline, guideline


@pytest.fixture
def newest() -> Guideline:
    return guideline()


def test_newest_version_is_named_with_its_day(newest: Guideline) -> None:
    assert str(newest) == f"Mozilla's guideline {newest.version} of {newest.published}"
    assert newest.source.startswith("https://")


def test_profiles_differ_in_their_oldest_version(newest: Guideline) -> None:
    assert {name: profile.protocols for name, profile in newest.profiles.items()} == {
        "intermediate": ("TLSv1.2", "TLSv1.3"), "modern": ("TLSv1.3",),
    }  # fmt: skip


def test_modern_needs_no_ciphers_and_takes_no_rsa(newest: Guideline) -> None:
    modern = newest.profiles["modern"]
    assert modern.ciphers == () and modern.certificate.rsa_bits is None


def test_lists_keep_their_order_and_cannot_be_changed(newest: Guideline) -> None:
    for profile in newest.profiles.values():
        assert isinstance(profile.ciphersuites, tuple) and profile.ciphersuites[0] == "TLS_AES_128_GCM_SHA256"
        assert profile.hsts_s >= 31_536_000
