"""The security headers that every proxy adds."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.render.proxies.headers import security_headers
from tests.unit.deployment.making import MINIMAL, planned

FRAMES = "Content-Security-Policy"


def headers(folder: Path, text: str = "") -> dict[str, str]:
    return dict(security_headers(planned(folder, MINIMAL + text)))


def test_pages_of_other_sites_may_not_frame_ours(tmp_path: Path) -> None:
    assert headers(tmp_path) == {
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", FRAMES: "frame-ancestors 'self'",
        "X-Frame-Options": "SAMEORIGIN",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "policy", "old"),
    [
        ("headers: {frames: none}\n", "frame-ancestors 'none'", "DENY"),
        ("headers: {frames: any}\n", None, None),
        ("embedding: https://a.org\n", "frame-ancestors 'self' https://a.org", None),
    ],
)
def test_who_may_frame_is_said(tmp_path: Path, text: str, policy: str | None, old: str | None) -> None:
    found = headers(tmp_path, text)
    assert (found.get(FRAMES), found.get("X-Frame-Options")) == (policy, old)


def test_tls_is_kept_to(tmp_path: Path) -> None:
    tls = "tls: {certificate: /c.pem, key: /k.pem"
    assert headers(tmp_path, f"{tls}}}\n")["Strict-Transport-Security"] == "max-age=63072000"
    subdomains = headers(tmp_path, f"{tls}, hsts_subdomains: yes}}\n")["Strict-Transport-Security"]
    assert subdomains == "max-age=63072000; includeSubDomains"
    assert "Strict-Transport-Security" not in headers(tmp_path, f"{tls}, hsts: no}}\n")


def test_header_of_the_operators_replaces_ours_of_the_same_name(tmp_path: Path) -> None:
    found = headers(tmp_path, "headers: {extra: {referrer-policy: no-referrer, X-Own: a}}\n")
    assert found["referrer-policy"] == "no-referrer" and "Referrer-Policy" not in found and found["X-Own"] == "a"


def test_none_are_added_if_they_are_off(tmp_path: Path) -> None:
    assert headers(tmp_path, "headers: {enabled: no, extra: {X-Own: a}}\n") == {}
