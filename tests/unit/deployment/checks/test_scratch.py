"""What scratch instances need: ports, certificates, and a process that ends."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from app_server.deployment.checks import scratch
from app_server.deployment.checks.scratch import certificate_into, free_ports, is_listening, running


def test_ports_are_different_and_nobody_listens_there() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5 and not any(map(is_listening, ports))


def test_certificate_is_for_its_names(tmp_path: Path) -> None:
    certificate, key = certificate_into(tmp_path, ["a.org", "b.org"])
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    found = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]
    assert found["subjectAltName"] == (("DNS", "a.org"), ("DNS", "b.org"))


def test_program_that_is_there_is_ended_afterwards(tmp_path: Path) -> None:
    there = tmp_path / "there"
    script = f"trap 'rm {there}; exit' TERM; touch {there}; while :; do sleep 0.01; done"
    with running(["sh", "-c", script], tmp_path / "log", there.exists) as complaint:
        assert complaint is None
    assert not there.exists()


def test_program_that_ends_by_itself_leaves_what_it_said(tmp_path: Path) -> None:
    with running(["sh", "-c", "echo it is broken >&2; exit 1"], tmp_path / "log", lambda: False) as complaint:
        assert complaint == "it is broken\n"


def test_program_that_says_nothing_and_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "START_S", 0.1)
    monkeypatch.setattr(scratch, "STOP_S", 0.05)
    with running(["sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"], tmp_path / "log", lambda: False) as said:
        assert said == "it did not start within 0.1 s"
