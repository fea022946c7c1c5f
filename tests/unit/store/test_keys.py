"""Keys of journals: derived as the RFC says, one for each journal."""

from __future__ import annotations

import hmac
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app_server.errors import OperatorError
from app_server.store.errors import Unreadable
from app_server.store.keys import Keys, header_tag, new_seal
from tests.support.in_image import as_in_an_image

SALT = bytes(range(16))


def derived(purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, SALT, b"app-server journal 1 " + purpose).derive(b"secret")


def test_records_are_signed_with_a_derived_key() -> None:
    expected = hmac.digest(derived(b"signed"), bytes(7) + b"\x05" + b"\x02" + b"body", "sha256")[:16]
    assert b"".join(new_seal(b"secret", SALT, encrypt=False).close(5, 2, b"body")) == b"body" + expected


def test_records_are_encrypted_with_another_one() -> None:
    expected = AESGCM(derived(b"encrypted")).encrypt(bytes(11) + b"\x05", b"body", b"\x02")
    assert b"".join(new_seal(b"secret", SALT, encrypt=True).close(5, 2, b"body")) == expected


@pytest.mark.parametrize("encrypt", [False, True])
def test_headers_are_signed_with_a_key_that_says_how_records_are_sealed(encrypt: bool) -> None:
    purpose = b"header encrypted" if encrypt else b"header signed"
    expected = hmac.digest(derived(purpose), b"header", "sha256")[:16]
    assert header_tag(b"secret", SALT, b"header", encrypt=encrypt) == expected


@pytest.mark.parametrize("encrypt", [False, True])
def test_a_record_opens_only_in_its_place_and_as_its_kind(encrypt: bool) -> None:
    seal = new_seal(b"secret", SALT, encrypt=encrypt)
    stored = memoryview(b"".join(seal.close(5, 2, b"body")))
    assert bytes(seal.open(5, 2, stored)) == b"body"
    for sequence, kind in ((4, 2), (5, 3)):
        with pytest.raises(Unreadable):
            seal.open(sequence, kind, stored)
    for other in (new_seal(b"other", SALT, encrypt=encrypt), new_seal(b"secret", bytes(16), encrypt=encrypt)):
        with pytest.raises(Unreadable):
            other.open(5, 2, stored)


def test_without_a_secret_tags_are_checksums() -> None:
    assert Keys().accepted == (b"",)
    assert Keys((b"new", b"old")).accepted == (b"new", b"old")


@pytest.mark.parametrize("secrets", [(), (b"",)])
def test_encryption_without_a_secret_is_refused(secrets: tuple[bytes, ...]) -> None:
    with pytest.raises(OperatorError) as caught:
        Keys(secrets, encrypt=True)
    assert str(caught.value) == (
        "--store-encrypt: saved sessions should be encrypted, but no secret is set."
        " Make one with `app-server secret` and set BOKEH_SECRET_KEY."
    )


def test_encryption_without_its_package_says_which_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    assert Keys((b"secret",)).accepted == (b"secret",)
    with pytest.raises(OperatorError) as caught:
        Keys((b"secret",), encrypt=True)
    assert "--store-encrypt: encrypting saved sessions needs the package cryptography" in str(caught.value)
    assert "[encrypt]" in str(caught.value)


def test_missing_package_of_an_image_comes_with_the_applications(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    as_in_an_image(monkeypatch, tmp_path)
    with pytest.raises(OperatorError) as caught:
        Keys((b"secret",), encrypt=True)
    assert str(caught.value) == (
        "--store-encrypt: encrypting saved sessions needs the package cryptography. "
        "Add cryptography to the applications' requirements.txt, and build their image again."
    )


def test_secrets_are_not_shown() -> None:
    assert "secret-text" not in repr(Keys((b"secret-text",)))
