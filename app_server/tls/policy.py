"""A profile of the guideline as directives for nginx and Apache, without what their TLS library cannot do.

A pure function of profile, program and versions: the same input gives the same lines on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app_server.errors import OperatorError
from app_server.tls.guideline import Guideline, Profile, guideline

Version = tuple[int, ...]
ProgramName = Literal["nginx", "apache"]

OLDEST_OPENSSL: Version = (1, 1, 1)
"""The first with TLS 1.3."""

# With a group that OpenSSL does not know nginx refuses its configuration; Apache passes configtest and does not start.
GROUPS_SINCE: Mapping[str, Version] = {"X25519MLKEM768": (3, 5)}

# From here on nginx makes new ticket keys by itself, kept in the shared cache; a key that never changes would let
# an attacker who learns it read all recorded traffic.
NGINX_ROTATES_TICKET_KEYS: Version = (1, 23, 2)


@dataclass(frozen=True, slots=True)
class Library:
    """The TLS library of a program. `version` is None if unknown: then only what every version can do is used."""

    name: str = "OpenSSL"
    version: Version | None = None

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name} {shown(self.version)}"

    def since(self, first: Version) -> bool:
        """Whether this is OpenSSL of that version or a later one; of other libraries nothing is claimed."""
        return self.name == "OpenSSL" and self.version is not None and self.version >= first


@dataclass(frozen=True, slots=True)
class Policy:
    """A proxy's directives; each sentence of `left_out` says what of the profile is missing, and why."""

    profile: Profile
    source: Guideline
    groups: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def provenance(self) -> str:
        """Where the lines come from, for a comment above them."""
        return f'{self.source}, "{self.profile.name}"'


def parse_version(text: str) -> Version:
    """The first version number in the text: "nginx/1.22.1 (Debian)" gives (1, 22, 1). Raises ValueError."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    if found is None:
        raise ValueError(f"no version in {text!r}")
    return tuple(int(part) for part in found[0].split("."))


def shown(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def policy(profile_name: str, library: Library) -> Policy:
    """The profile as far as the library supports it. Raises OperatorError if the library is too old for any of it."""
    if library.name == "OpenSSL" and library.version is not None and library.version < OLDEST_OPENSSL:
        raise OperatorError(
            f"{library} has no TLS 1.3",
            where="tls",
            hint=f"Use OpenSSL {shown(OLDEST_OPENSSL)} or newer; every distribution with updates has it.",
        )
    newest = guideline()
    profile = newest.profiles[profile_name]
    missing = tuple(each for each in profile.groups if each in GROUPS_SINCE and not library.since(GROUPS_SINCE[each]))
    return Policy(
        profile=profile,
        source=newest,
        groups=tuple(each for each in profile.groups if each not in missing),
        left_out=tuple(_why_left_out(each, library) for each in missing),
    )


def _why_left_out(group: str, library: Library) -> str:
    needed = f"OpenSSL {shown(GROUPS_SINCE[group])}"
    if library.name == "OpenSSL" and library.version is None:
        return f"{group} is left out: it needs {needed}, and which one is there is not known."
    return f"{group} is left out: it needs {needed}, and this is {library}."


def nginx_directives(profile_name: str, library: Library, nginx_version: Version | None = None) -> tuple[str, ...]:
    """Lines for nginx, comments first, valid in `server` (each one that listens on the port) and in `http`.

    nginx takes the protocols from the first server of a port: a catch-all server has to carry these lines too.
    """
    chosen = policy(profile_name, library)
    profile = chosen.profile
    lines = [f"# {chosen.provenance}", *(f"# {each}" for each in chosen.left_out)]
    lines.append(f"ssl_protocols {' '.join(profile.protocols)};")
    if profile.ciphers:
        lines.append(f"ssl_ciphers {':'.join(profile.ciphers)};")
    lines.append(f"ssl_prefer_server_ciphers {'on' if profile.server_preference else 'off'};")
    lines.append(f"ssl_ecdh_curve {':'.join(chosen.groups)};")
    lines.append("ssl_session_cache shared:tls:10m;  # about 40,000 sessions")
    lines.append("ssl_session_timeout 1d;")
    if nginx_version is None or nginx_version < NGINX_ROTATES_TICKET_KEYS:
        lines.append(f"ssl_session_tickets off;  # before {shown(NGINX_ROTATES_TICKET_KEYS)} their key never changes")
    return tuple(lines)


def apache_directives(profile_name: str, library: Library) -> tuple[str, ...]:
    """Lines for each virtual host of Apache on the port, comments first, without `SSLEngine` and the files."""
    chosen = policy(profile_name, library)
    profile = chosen.profile
    lines = [f"# {chosen.provenance}", *(f"# {each}" for each in chosen.left_out)]
    lines.append(f"SSLProtocol -all {' '.join(f'+{each}' for each in profile.protocols)}")
    if profile.ciphers:
        lines.append(f"SSLCipherSuite {':'.join(profile.ciphers)}")
    lines.append(f"SSLCipherSuite TLSv1.3 {':'.join(profile.ciphersuites)}")
    lines.append(f"SSLOpenSSLConfCmd Groups {':'.join(chosen.groups)}")
    lines.append(f"SSLHonorCipherOrder {'on' if profile.server_preference else 'off'}")
    lines.append("SSLCompression off")
    lines.append("# Their key changes only when Apache restarts.")
    lines.append("SSLSessionTickets off")
    return tuple(lines)


def hsts(profile_name: str, include_subdomains: bool = False) -> str:
    """The value of Strict-Transport-Security."""
    age = f"max-age={guideline().profiles[profile_name].hsts_s}"
    return f"{age}; includeSubDomains" if include_subdomains else age
