"""Certificates for development: made once, kept from others, never written over."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from app_server.errors import OperatorError
from app_server.tls.certificates import Material, inspect
from app_server.tls.development import development_certificate, state_folder

NAMES = ("plots.example.org", "*.plots.example.org", "127.0.0.1", "::1")


def mode(path: Path) -> int:
    """The permission bits of a file."""
    return path.stat().st_mode & 0o777


def test_certificate_is_good_for_its_names_and_its_key_is_hidden(tmp_path: Path) -> None:
    pair = development_certificate(NAMES, tmp_path / "new")
    assert pair.made
    assert mode(tmp_path / "new") == 0o700
    assert [mode(each) for each in (pair.key, tmp_path / "new" / "authority.key")] == [0o600, 0o600]
    material = Material(
        pair.certificate.read_bytes(), pair.key.read_bytes(), mode(pair.key), pair.authority.read_bytes()
    )
    hosts = ["plots.example.org", "any.plots.example.org", "127.0.0.1", "::1"]
    assert inspect(material, hosts, datetime.now(UTC), "modern") == []


def test_what_is_there_is_used_again(tmp_path: Path) -> None:
    first = development_certificate(NAMES, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    second = development_certificate(NAMES, tmp_path)
    assert not second.made and second.certificate == first.certificate
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_more_names_or_a_near_end_make_a_new_certificate_by_the_same_authority(tmp_path: Path) -> None:
    authority = development_certificate(["plots.example.org"], tmp_path).authority.read_bytes()
    assert development_certificate(NAMES, tmp_path).made
    assert not development_certificate(NAMES, tmp_path).made
    later = datetime.now(UTC) + timedelta(days=61)
    assert development_certificate(NAMES, tmp_path, now=later).made
    assert (tmp_path / "authority.pem").read_bytes() == authority


def test_certificate_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    development_certificate(["a.example.org"], tmp_path)
    foreign = tmp_path / "b.example.org.pem"
    foreign.write_bytes(trustme.CA().issue_cert("b.example.org").cert_chain_pems[0].bytes())
    with pytest.raises(OperatorError) as refusal:
        development_certificate(["b.example.org"], tmp_path)
    assert str(refusal.value) == (
        f"{foreign}: another certificate is in its place. This authority did not issue it: move it away."
    )


def test_half_of_an_authority_is_not_completed(tmp_path: Path) -> None:
    development_certificate(["a.example.org"], tmp_path)
    (tmp_path / "authority.key").unlink()
    with pytest.raises(OperatorError) as refusal:
        development_certificate(["a.example.org"], tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / 'authority.key'}: half of the development authority is missing."
        " Restore it, or move the rest of the folder away to get a new authority."
    )


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-a", "a\nb", "*", "a.*.b"])
def test_what_is_no_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is not a host name"):
        development_certificate([name], tmp_path)
    assert os.listdir(tmp_path) == []


def test_state_is_kept_where_the_system_wants_it() -> None:
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/app-server/certificates")
    assert state_folder({"HOME": "/home/ann"}) == Path("/home/ann/.local/state/app-server/certificates")
