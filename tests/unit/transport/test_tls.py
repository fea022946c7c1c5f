"""The server's own TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from app_server.deployment.tls.guideline import guideline
from app_server.errors import OperatorError
from app_server.settings import Settings
from app_server.transport.address import tls_context


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """The context of a server with a certificate."""
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    found = tls_context(Settings(ssl_certfile=str(tmp_path / "both.pem")))
    assert found is not None
    return found


def test_protocols_and_ciphers_are_those_of_the_guideline(context: ssl.SSLContext) -> None:
    profile = guideline().profiles["intermediate"]
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    named = {each["name"] for each in context.get_ciphers()}
    assert {name for name in named if not name.startswith("TLS_")} == set(profile.ciphers)
    assert {name for name in named if name.startswith("TLS_")} == set(profile.ciphersuites)


def test_browser_chooses_the_cipher_that_its_machine_is_fast_at(context: ssl.SSLContext) -> None:
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("bare.pem", None, "bare.pem: holds no private key in PEM form. Name the key's file with --ssl-keyfile."),
        ("bare.pem", "other.key", "other.key: the key does not belong to bare.pem. "
         "Name the key that the certificate was made with."),
        ("other.key", "other.key", "other.key: holds no certificate in PEM form. Name a file that begins with "
         "-----BEGIN CERTIFICATE-----."),
        ("bare.pem", "bare.pem", "bare.pem: holds no private key in PEM form. Name the file of the certificate's key."),
    ],
)  # fmt: skip
def test_certificate_of_no_use_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, key: str | None, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    authority = trustme.CA()
    authority.issue_cert("localhost").cert_chain_pems[0].write_to_path("bare.pem")
    authority.issue_cert("localhost").private_key_pem.write_to_path("other.key")
    with pytest.raises(OperatorError) as refused:
        tls_context(Settings(ssl_certfile=certificate, ssl_keyfile=key))
    assert str(refused.value) == message
