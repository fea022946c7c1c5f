"""Users and their passwords in a file: one `name:hash` or `name:hash:groups` a line, hashed with scrypt (RFC 7914).

A hash is `scrypt$<log2 n>$<r>$<p>$<salt>$<key>`, so the cost can grow while old hashes go on working; or one of those
that proxies read (see `htpasswd`).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from app_server.errors import OperatorError
from app_server.security.auth.htpasswd import Hash, read_htpasswd
from app_server.security.auth.users import User, is_name

LONGEST_PASSWORD: Final = 1024
SHORTEST_PASSWORD: Final = 8  # NIST SP 800-63B, section 5.1.1.2

_SALT_BYTES = 16
_KEY_BYTES = 32
_HASH = re.compile(r"scrypt\$([0-9]{1,2})\$([0-9]{1,2})\$([0-9]{1,2})\$([A-Za-z0-9+/]{22,88})\$([A-Za-z0-9+/]{43})")
_HINT = "`app-server passwd FILE USER` writes such lines."


@dataclass(frozen=True, slots=True)
class Cost:
    """How much work a guess is: 128 * r * 2 ** log2_n bytes of memory, gone through p times."""

    log2_n: int
    r: int
    p: int

    @property
    def memory_bytes(self) -> int:
        """What a verification needs for a moment."""
        return 128 * self.r * ((1 << self.log2_n) + self.p + 2)


# OWASP's password storage cheat sheet, 2024: one of its equivalent choices, that with 32 MiB.
COST: Final = Cost(log2_n=15, r=8, p=3)
_HIGHEST = Cost(log2_n=20, r=16, p=16)


@dataclass(frozen=True)
class PasswordHash:
    """One hash, as the file holds it."""

    cost: Cost
    salt: bytes
    key: bytes = field(repr=False)

    @property
    def weak(self) -> str:
        """ "": it is not."""
        return ""

    def __str__(self) -> str:
        cost = self.cost
        return f"scrypt${cost.log2_n}${cost.r}${cost.p}${_text(self.salt)}${_text(self.key)}"

    @classmethod
    def read(cls, text: str) -> PasswordHash | None:
        """The hash that the text holds; None for any other text."""
        found = _HASH.fullmatch(text)
        if found is None:
            return None
        cost = Cost(*(int(number) for number in found.groups()[:3]))
        allowed = 1 <= cost.log2_n <= _HIGHEST.log2_n and 1 <= cost.r <= _HIGHEST.r and 1 <= cost.p <= _HIGHEST.p
        if not allowed or len(found[4]) % 4 == 1:  # not base64
            return None
        return cls(cost, _bytes(found[4]), _bytes(found[5]))

    def matches(self, password: str) -> bool:
        """Whether this is the password; takes a tenth of a second and tens of megabytes, so call it in a thread."""
        return hmac.compare_digest(_derive(password, self.salt, self.cost), self.key)


def hash_password(password: str, *, cost: Cost = COST, random: Callable[[int], bytes] = os.urandom) -> PasswordHash:
    """A hash of the password under a salt of its own."""
    salt = random(_SALT_BYTES)
    return PasswordHash(cost, salt, _derive(password, salt, cost))


def password_fault(password: str) -> str | None:
    """What is wrong with this password, if anything."""
    if len(password) < SHORTEST_PASSWORD:
        return f"the password is shorter than {SHORTEST_PASSWORD} characters"
    if len(password.encode("utf-8", "surrogatepass")) > LONGEST_PASSWORD:
        return f"the password is longer than {LONGEST_PASSWORD} bytes"
    if "\0" in password or any(0xD800 <= ord(letter) < 0xE000 for letter in password):
        return "the password contains characters that a keyboard cannot type"
    return None


@dataclass(frozen=True)
class PasswordFile:
    """The users of a file, and their groups. `lines` keeps comments and order for rewriting the file."""

    users: Mapping[str, Hash]
    lines: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str, where: str) -> PasswordFile:
        """The users of a text; OperatorError names the first line that is not one, without repeating it."""
        users: dict[str, Hash] = {}
        groups: dict[str, tuple[str, ...]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            name, colon, rest = unicodedata.normalize("NFC", line).partition(":")
            here = f"{where}:{number}"
            hashed, _, column = rest.strip().partition(":")
            found = PasswordHash.read(hashed.strip()) or read_htpasswd(hashed.strip(), here)
            if not colon or not is_name(name):
                raise OperatorError("the line does not begin with a user's name and a colon", where=here, hint=_HINT)
            if found is None:
                raise OperatorError(f"what follows {name}: is not a password hash", where=here, hint=_HINT)
            if name in users:
                raise OperatorError(f"{name} is there twice", where=here, hint="Leave one of them out.")
            users[name] = found
            groups[name] = read_groups(column)
        return cls(users, tuple(text.splitlines()), groups)

    def user(self, name: str) -> User:
        """The user of this name, with the groups that the file says."""
        return User(name, groups=self.groups.get(name, ()))

    @property
    def weak(self) -> Mapping[str, str]:
        """The users whose hashes are weak, and what each is made with."""
        return {name: hashed.weak for name, hashed in self.users.items() if hashed.weak}

    def with_user(self, name: str, password: Hash, groups: Sequence[str] | None = None) -> str:
        """The file's text with the user's new hash, in the user's old line if there is one.

        The user keeps the groups that the file says if none are given.
        """
        named = self.groups.get(name, ()) if groups is None else groups
        line = f"{name}:{password}" + (f":{','.join(named)}" if named else "")
        if name not in self.users:
            return _joined((*self.lines, line))
        return _joined(tuple(line if _is_users(old, name) else old for old in self.lines))

    def without_user(self, name: str) -> str:
        """The file's text without the user."""
        return _joined(tuple(line for line in self.lines if not _is_users(line, name)))

    def check(self, name: str, password: str) -> bool:
        """Whether this is the user's password; just as slow for an unknown user. Call it in a thread."""
        known = self.users.get(unicodedata.normalize("NFC", name))
        if len(password.encode("utf-8", "surrogatepass")) > LONGEST_PASSWORD:
            return False
        return (known or self._someone()).matches(password) and known is not None

    def fingerprint(self, name: str, tag: Callable[[str], str]) -> str | None:
        """A text for cookies that changes with the user's password; `tag` keeps it from revealing the hash."""
        known = self.users.get(name)
        return None if known is None else tag(f"{name}\n{known}")[:16]

    def _someone(self) -> Hash:
        # As slow as the file's own hashes: a quick answer would reveal that there is no such user.
        return next(iter(self.users.values()), PasswordHash(COST, bytes(_SALT_BYTES), bytes(_KEY_BYTES)))


def read_groups(column: str) -> tuple[str, ...]:
    """The groups of a line's last column, separated by commas."""
    names = (unicodedata.normalize("NFC", name.strip()) for name in column.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _derive(password: str, salt: bytes, cost: Cost) -> bytes:
    # The same letters typed on two systems can be composed or not; NIST SP 800-63B asks for NFKC or NFKD.
    secret = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(
        secret, salt=salt, n=2**cost.log2_n, r=cost.r, p=cost.p, dklen=_KEY_BYTES, maxmem=2 * cost.memory_bytes
    )


def _is_users(line: str, name: str) -> bool:
    return not line.startswith("#") and unicodedata.normalize("NFC", line.partition(":")[0]) == name


def _joined(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _text(data: bytes) -> str:
    return b64encode(data).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4))
