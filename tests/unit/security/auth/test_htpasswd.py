"""The hashes of htpasswd files, as other programs have made them."""

from __future__ import annotations

import random
import subprocess
import sys

import bcrypt
import pytest

from app_server.errors import OperatorError
from app_server.security.auth.htpasswd import read_htpasswd, sha_crypt
from app_server.version import how_to_install

HASHES = {
    "apr1": "$apr1$saltsalt$EGVZDNN6gOqijy.tv9axG/",
    "md5": "$1$saltsalt$NuzA7WTAelpl95xgBGWN60",
    "sha256": "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
    "sha512": "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
    "sha": "{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "ssha": "{SSHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0",
    "2b": "$2b$04$M/w0TPIwI12LlOTUExiHS.reJcg78kugNJ3Ohmvl6pFwKrlzP9YnG",
    "2y": "$2y$04$M/w0TPIwI12LlOTUExiHS.reJcg78kugNJ3Ohmvl6pFwKrlzP9YnG",
    "2a": "$2a$04$M/w0TPIwI12LlOTUExiHS.reJcg78kugNJ3Ohmvl6pFwKrlzP9YnG",
}
LONG = "grüße " * 30
LONG_HASHES = [
    "$6$rounds=1000$ab$uwXOf8Nbh8qEki34WSo42VaWwqj0vg/1yiuukE8iv977JDV7yYaQNNWgF7osaWVrYiScRNYSBFdESuO3j/yQ8.",
    "$5$rounds=1000$ab$tDFrEgQjucx7Vw1cVVmMuiL0ZY5E0fNik.ZW6IRSGr9",
]


@pytest.mark.parametrize("name", HASHES)
def test_hash_of_another_program_knows_its_password(name: str) -> None:
    found = read_htpasswd(HASHES[name], "users:1")
    assert found is not None and str(found) == HASHES[name]
    assert found.matches("correct horse")
    for wrong in ("", "correct hors", "correct horse ", "Correct horse", "correct horse\0", "\ud800"):
        assert not found.matches(wrong), wrong
    assert HASHES[name] not in repr(found)


@pytest.mark.parametrize("text", LONG_HASHES)
def test_long_password_and_own_number_of_rounds(text: str) -> None:
    found = read_htpasswd(text, "users:1")
    assert found is not None and found.matches(LONG) and not found.matches(LONG[:-1])


def test_bcrypt_ignores_what_is_longer_than_72_bytes_as_htpasswd_does() -> None:
    found = read_htpasswd(bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode(), "users:1")
    assert found is not None and found.matches("x" * 100) and not found.matches("x" * 71)


@pytest.mark.parametrize("kind", ["-apr1", "-1", "-5", "-6"])
def test_passwords_of_every_length_are_those_of_openssl(kind: str) -> None:
    dice = random.Random(5)
    passwords = ["".join(dice.choice("abcDEF123ä$ :") for _ in range(length)) for length in (*range(1, 36), 63, 64, 65)]
    made = subprocess.run(
        ["openssl", "passwd", kind, "-stdin"], input="\n".join(passwords), text=True, capture_output=True, check=True
    ).stdout.split()
    for password, text in zip(passwords, made, strict=True):
        found = read_htpasswd(text, "users:1")
        assert found is not None and found.matches(password), (password, text)


@pytest.mark.parametrize(
    ("name", "weak"), [("apr1", "MD5"), ("md5", "MD5"), ("sha", "SHA-1"), ("ssha", "SHA-1"), ("sha256", ""), ("2y", "")]
)
def test_weak_hashes_say_what_they_are(name: str, weak: str) -> None:
    found = read_htpasswd(HASHES[name], "users:1")
    assert found is not None and found.weak == weak


@pytest.mark.parametrize(
    "text",
    [
        "", "hunter2", "$6$", "$5$saltsalt$" + "a" * 86, "$6$saltsalt$" + "a" * 43, "$7$saltsalt$" + "a" * 43,
        "$apr1$saltsaltsalt$EGVZDNN6gOqijy.tv9axG/", "$2y$31$" + "a" * 53, "$2y$04$" + "a" * 52, "{SHA}abcd",
        "{SHA}LhKrkM9Fy+zlstjdD7Kv2s6QvhBzYWx0", "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=", "{SHA}L55TUjtiq8=", "{PLAIN}x",
    ],
)  # fmt: skip
def test_everything_else_is_not_a_hash(text: str) -> None:
    assert read_htpasswd(text, "users:1") is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rqXexS6ZhobKA",
         "users:3: the hash is that of an old crypt(3), which ignores all but 8 characters of a password."
         " Set the password again with `htpasswd -B` or `app-server passwd`."),
        ("$6$rounds=9000000$ab$" + "a" * 86,
         "users:3: the hash takes 9,000,000 rounds, which is more than 1,000,000. Set the password again with fewer."),
    ],
)  # fmt: skip
def test_hash_that_cannot_be_used_is_refused_with_the_reason(text: str, what: str) -> None:
    with pytest.raises(OperatorError) as caught:
        read_htpasswd(text, "users:3")
    assert str(caught.value) == what


def test_hash_for_proxies_is_one_that_openssl_makes() -> None:
    found = sha_crypt("correct horse", lambda size: bytes(range(size)))
    assert found.matches("correct horse") and not found.weak
    _, kind, salt, _ = str(found).split("$")
    made = subprocess.run(
        ["openssl", "passwd", f"-{kind}", "-salt", salt, "correct horse"], text=True, capture_output=True, check=True
    ).stdout
    assert made.strip() == str(found)


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    with pytest.raises(OperatorError) as caught:
        read_htpasswd(HASHES["2y"], "users:3")
    assert str(caught.value) == (
        "users:3: the hash is bcrypt's, which needs a package that is not installed: bcrypt. "
        f"{how_to_install('htpasswd')}"
    )
