"""Certificates for development, signed by an authority of one's own that this machine keeps.

The authority is created once, kept with mode 0600 and never overwritten: browsers have to be set to trust it only
once. Certificates are replaced when they do not cover a name or expire soon.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.protocol.doctor import DEVELOPMENT_ORGANIZATION
from app_server.tls.certificates import SOON, Material, inspect

if TYPE_CHECKING:
    import trustme

LIFETIME = timedelta(days=90)
"""What both profiles of the guideline allow."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Files of a certificate (its chain behind it) and its key; `authority` is what a browser has to trust.

    `made` says whether the certificate is new.
    """

    certificate: Path
    key: Path
    authority: Path
    made: bool


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's authority and certificates are kept."""
    state = environ.get("XDG_STATE_HOME") or str(_home(environ) / ".local" / "state")
    return Path(state) / "app-server" / "certificates"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        hint = "Set HOME, or XDG_STATE_HOME, to a folder of yours that stays."
        raise OperatorError("there is no home folder to keep certificates in", where="HOME", hint=hint) from None


def development_certificate(names: Sequence[str], folder: Path, now: datetime | None = None) -> Pair:
    """Files of a certificate for these names, created unless they exist. Raises OperatorError."""
    for name in names:
        _check_name(name)
    now = now or datetime.now(UTC)
    stem = re.sub(r"[^A-Za-z0-9.-]", "_", names[0].replace("*", "_wildcard"))
    authority = _authority(folder)
    certificate, key = folder / f"{stem}.pem", folder / f"{stem}.key"
    if certificate.exists() and _still_good(certificate, key, authority.file, names, now):
        return Pair(certificate, key, authority.file, made=False)
    issued = authority.ca.issue_cert(
        *names, common_name=names[0], not_before=now - timedelta(days=1), not_after=now + LIFETIME - timedelta(days=1)
    )
    chain = b"".join(each.bytes() for each in issued.cert_chain_pems)
    # The key first: a proxy that starts between the two sees a mismatch, never a key that others can read.
    write_atomically(key, issued.private_key_pem.bytes(), mode=0o600)
    write_atomically(certificate, chain, mode=0o644)
    return Pair(certificate, key, authority.file, made=True)


@dataclass(frozen=True, slots=True)
class _Authority:
    ca: trustme.CA
    file: Path


def _authority(folder: Path) -> _Authority:
    """The authority in the folder, or a new one. Raises OperatorError if only half of it exists."""
    import trustme

    file, key_file = folder / "authority.pem", folder / "authority.key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists() and not key_file.exists():
            ca = trustme.CA(
                organization_name=DEVELOPMENT_ORGANIZATION,
                organization_unit_name=f"{socket.gethostname()}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            )
            write_atomically(key_file, ca.private_key_pem.bytes(), mode=0o600, overwrite=False)
            write_atomically(file, ca.cert_pem.bytes(), mode=0o644, overwrite=False)
            return _Authority(ca, file)
        return _Authority(trustme.CA.from_pem(file.read_bytes(), key_file.read_bytes()), file)
    except FileNotFoundError as missing:
        hint = "Restore it, or move the rest of the folder away to get a new authority."
        raise OperatorError("half of the development authority is missing", where=missing.filename, hint=hint) from None
    except ValueError:
        hint = "Restore it from a copy, or move the folder away to get a new authority."
        raise OperatorError("is not an authority that app-server created", where=str(file), hint=hint) from None
    except OSError as error:
        where = str(error.filename or folder)
        raise OperatorError(f"cannot be used: {error.strerror}", where=where, hint="Choose another folder.") from None


def _check_name(name: str) -> None:
    if not re.fullmatch(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]+", name):
        hint = "Use names such as localhost, plots.example.org, *.example.org, 127.0.0.1 or ::1."
        raise OperatorError("is not a host name", where=name, hint=hint)


def _still_good(certificate: Path, key: Path, authority: Path, names: Sequence[str], now: datetime) -> bool:
    """Whether these files can be used as they are. Raises OperatorError if something else created them."""
    material = Material(
        certificate.read_bytes(), key.read_bytes() if key.exists() else None, None, authority.read_bytes()
    )
    found = {finding.name for finding in inspect(material, [name.replace("*", "any") for name in names], now + SOON)}
    if found & {"not-a-certificate", "incomplete", "self-signed", "order"}:
        hint = "This authority did not issue it: move it away."
        raise OperatorError("another certificate is in its place", where=str(certificate), hint=hint)
    return key.exists() and not found & {"name", "expired", "key-mismatch", "not-a-key", "key-locked"}
