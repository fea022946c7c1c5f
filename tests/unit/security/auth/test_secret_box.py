"""Values that only the server can read."""

from __future__ import annotations

import sys

import pytest

from app_server.errors import OperatorError
from app_server.security.auth.secret_box import SecretBox
from app_server.version import how_to_install

BOX = SecretBox("tokens", "s" * 40)
VALUE = {"access": "gho_secret", "owner": "ann"}


def test_value_comes_back_and_cannot_be_read() -> None:
    sealed = BOX.seal(VALUE)
    assert BOX.open(sealed) == VALUE and "gho" not in sealed
    assert sealed != BOX.seal(VALUE) and "s" * 40 not in repr(BOX)


def test_value_of_another_key_or_purpose_does_not_open() -> None:
    sealed = BOX.seal(VALUE)
    assert SecretBox("tokens", "t" * 40).open(sealed) is None
    assert SecretBox("others", "s" * 40).open(sealed) is None


@pytest.mark.parametrize("text", [None, "", "x", "ä", "AAAA", "A" * 40, "=" * 8, "!" * 50])
def test_other_texts_do_not_open(text: str | None) -> None:
    assert BOX.open(text) is None


def test_changed_text_does_not_open() -> None:
    sealed = BOX.seal(VALUE)
    for place in (0, 20, len(sealed) - 2):
        changed = sealed[:place] + ("A" if sealed[place] != "A" else "B") + sealed[place + 1 :]
        assert BOX.open(changed) is None


def test_what_is_no_mapping_does_not_open() -> None:
    assert BOX.open(BOX.seal([1, 2])) is None  # type: ignore[arg-type]


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(OperatorError) as caught:
        SecretBox("tokens", "s").require()
    assert str(caught.value) == (
        f"--access-tokens: keeping access tokens needs the package cryptography. {how_to_install('oidc')}"
    )
