"""The hashes of htpasswd files, which nginx and Apache read too: a file can serve the proxy and the server.

| text | made by | |
|---|---|---|
| `$2y$10$...` | `htpasswd -B` | bcrypt, with the extra `htpasswd` |
| `$6$...`, `$5$...` | `htpasswd -5`, `-2`, `openssl passwd -6`, `app-server passwd --htpasswd` | SHA-crypt |
| `$apr1$...`, `$1$...` | `htpasswd` by default, `openssl passwd -apr1` | MD5, weak |
| `{SSHA}...`, `{SHA}...` | `htpasswd -s` | SHA-1, weak |

A graphics card tries billions of SHA-1's a second, and many millions of MD5's: anyone who gets the file finds most
passwords. They are accepted, because proxies accept them, and reported.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from app_server.errors import OperatorError
from app_server.version import how_to_install

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BCRYPT = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_SHA_CRYPT = re.compile(r"\$([56])\$(?:rounds=([1-9][0-9]{0,8})\$)?([^$:\s]{0,16})\$([./A-Za-z0-9]{43,86})")
_MD5_CRYPT = re.compile(r"(\$apr1\$|\$1\$)([^$:\s]{0,8})\$([./A-Za-z0-9]{22})")
_SHA1 = re.compile(r"\{(SHA|SSHA)\}([A-Za-z0-9+/]+=*)")
_DES = re.compile(r"[./A-Za-z0-9]{13}")

_MOST_ROUNDS = 1_000_000  # a second and more
_HIGHEST_COST = 17  # htpasswd's own limit
_BCRYPT_BYTES = 72  # what bcrypt takes of a password; htpasswd ignores the rest
ROUNDS: Final = 5000
"""The default of SHA-crypt: a proxy verifies the password with every request, in the process that serves everyone."""


class Hash(Protocol):
    """The hash of a user's password."""

    @property
    def weak(self) -> str:
        """What the hash is made with, if that is weak; "" otherwise."""
        ...

    def matches(self, password: str) -> bool:
        """Whether this is the password; may take a tenth of a second, so call it in a thread."""


@dataclass(frozen=True)
class HtpasswdHash:
    """A hash that a proxy reads, too."""

    text: str = field(repr=False)
    derive: Callable[[bytes], str] = field(repr=False, compare=False)
    """The text that a password should have."""
    weak: str = ""

    def __str__(self) -> str:
        return self.text

    def matches(self, password: str) -> bool:
        """Whether this is the password."""
        secret = password.encode("utf-8", "surrogatepass")
        if b"\0" in secret:
            return False
        return hmac.compare_digest(self.derive(secret).encode(), self.text.encode())


def read_htpasswd(text: str, where: str) -> HtpasswdHash | None:
    """The hash that the text holds; None for any other text. OperatorError for one that cannot be used."""
    for read in (_read_bcrypt, _read_sha_crypt, _read_md5_crypt, _read_sha1):
        found = read(text, where)
        if found is not None:
            return found
    if _DES.fullmatch(text):
        what = "the hash is that of an old crypt(3), which ignores all but 8 characters of a password"
        raise OperatorError(what, where=where, hint="Set the password again with `htpasswd -B` or `app-server passwd`.")
    return None


def sha_crypt(password: str, random: Callable[[int], bytes]) -> HtpasswdHash:
    """A hash of the password that proxies read, under a salt of its own."""
    salt = "".join(_ALPHABET[byte & 63] for byte in random(16))
    made = _sha_crypt(password.encode("utf-8", "surrogatepass"), "6", salt, None)
    found = read_htpasswd(made, "")
    assert found is not None
    return found


def _read_bcrypt(text: str, where: str) -> HtpasswdHash | None:
    found = _BCRYPT.fullmatch(text)
    if found is None or not 4 <= int(found[1]) <= _HIGHEST_COST:
        return None
    bcrypt = _bcrypt(where)
    # $2a$, $2b$ and $2y$ differ in faults of old programs only.
    known = f"$2b${text[4:]}"

    def derive(secret: bytes) -> str:
        return text[:4] + str(bcrypt.hashpw(secret[:_BCRYPT_BYTES], known.encode()).decode())[4:]

    return HtpasswdHash(text, derive)


def _bcrypt(where: str) -> Any:
    try:
        import bcrypt
    except ImportError:
        what = "the hash is bcrypt's, which needs a package that is not installed: bcrypt"
        raise OperatorError(what, where=where, hint=how_to_install("htpasswd")) from None
    return bcrypt


def _read_sha_crypt(text: str, where: str) -> HtpasswdHash | None:
    found = _SHA_CRYPT.fullmatch(text)
    if found is None or len(found[4]) != (43 if found[1] == "5" else 86):
        return None
    rounds = None if found[2] is None else max(1000, int(found[2]))
    if rounds is not None and rounds > _MOST_ROUNDS:
        what = f"the hash takes {rounds:,} rounds, which is more than {_MOST_ROUNDS:,}"
        raise OperatorError(what, where=where, hint="Set the password again with fewer.")
    return HtpasswdHash(text, lambda secret: _sha_crypt(secret, found[1], found[3], rounds))


def _read_md5_crypt(text: str, where: str) -> HtpasswdHash | None:
    found = _MD5_CRYPT.fullmatch(text)
    return found and HtpasswdHash(text, lambda secret: _md5_crypt(secret, found[1], found[2]), "MD5")


def _read_sha1(text: str, where: str) -> HtpasswdHash | None:
    found = _SHA1.fullmatch(text)
    if found is None:
        return None
    try:
        data = b64decode(found[2], validate=True)
    except Error:
        return None
    salt = data[20:]
    if len(data) < 20 or bool(salt) is (found[1] == "SHA"):
        return None

    def derive(secret: bytes) -> str:
        same = hmac.compare_digest(hashlib.sha1(secret + salt).digest(), data[:20])
        return text if same else ""

    return HtpasswdHash(text, derive, "SHA-1")


def _sha_crypt(secret: bytes, kind: str, salt_text: str, rounds: int | None) -> str:
    """The text that crypt(3) returns ("Unix crypt using SHA-256 and SHA-512", version 0.6)."""
    make = hashlib.sha256 if kind == "5" else hashlib.sha512
    salt, size = salt_text.encode(), make().digest_size
    other = make(secret + salt + secret).digest()  # steps 4 to 8
    first = make(secret + salt + _repeated(other, len(secret)))
    bits = len(secret)
    while bits:  # step 11
        first.update(other if bits & 1 else secret)
        bits >>= 1
    last = first.digest()
    p = _repeated(make(secret * len(secret)).digest(), len(secret))  # steps 13 to 16
    s = _repeated(make(salt * (16 + last[0])).digest(), len(salt))  # steps 17 to 20
    for number in range(ROUNDS if rounds is None else rounds):  # step 21
        part = p if number & 1 else last
        part += (s if number % 3 else b"") + (p if number % 7 else b"")
        last = make(part + (last if number & 1 else p)).digest()
    shown = "" if rounds is None else f"rounds={rounds}$"
    return f"${kind}${shown}{salt_text}${_shuffled(last, size)}"


def _repeated(data: bytes, length: int) -> bytes:
    return (data * (length // len(data) + 1))[:length]


def _shuffled(digest: bytes, size: int) -> str:
    """The digest in the order and alphabet of the specification's last step."""
    third, turn = (10, 21) if size == 32 else (21, 22)
    places = [0, third, 2 * third]
    text = ""
    for _ in range(third):
        text += _encoded([digest[place] for place in places], 4)
        places = [(place + turn) % (3 * third) for place in places]
    return text + (_encoded([0, digest[31], digest[30]], 3) if size == 32 else _encoded([0, 0, digest[63]], 2))


def _md5_crypt(secret: bytes, magic: str, salt_text: str) -> str:
    """What Apache's `htpasswd -m` and BSD's crypt(3) do with the password; they differ in the magic."""
    salt = salt_text.encode()
    other = hashlib.md5(secret + salt + secret).digest()
    first = hashlib.md5(secret + magic.encode() + salt + _repeated(other, len(secret)))
    bits = len(secret)
    while bits:
        first.update(b"\0" if bits & 1 else secret[:1])
        bits >>= 1
    last = first.digest()
    for number in range(1000):
        part = (secret if number & 1 else last) + (salt if number % 3 else b"") + (secret if number % 7 else b"")
        last = hashlib.md5(part + (last if number & 1 else secret)).digest()
    groups = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
    text = "".join(_encoded([last[place] for place in places], 4) for places in groups)
    return f"{magic}{salt_text}${text}{_encoded([0, 0, last[11]], 2)}"


def _encoded(three: list[int], characters: int) -> str:
    """Three bytes in crypt's base 64, the last six bits first."""
    number = three[0] << 16 | three[1] << 8 | three[2]
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(characters))
