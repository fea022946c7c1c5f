"""What is wrong with a certificate and its key, judged only by their bytes.

These functions read no files: they take bytes, names and the time, and return findings.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from app_server import system
from app_server.protocol.doctor import DEVELOPMENT_ORGANIZATION
from app_server.tls.guideline import guideline

SOON = timedelta(days=30)
"""How long before its end a certificate of the usual length should have been renewed; certbot begins then."""

OTHERS_MAY_READ = 0o004
OTHERS_MAY_WRITE = 0o022

# How the guideline writes the names of curves that cryptography calls otherwise.
CURVE_NAMES = {"secp256r1": "prime256v1"}


@dataclass(frozen=True, slots=True)
class TlsFinding:
    """One thing that is wrong: an error keeps browsers out, or lets others in; a warning will matter soon."""

    level: Literal["error", "warning"]
    name: str
    what: str
    hint: str

    def __str__(self) -> str:
        return f"{self.level}: {self.what}. {self.hint}"


@dataclass(frozen=True, slots=True)
class Material:
    """What a proxy is given: the file with the site's certificate and those that signed it, and its key's file.

    `key_mode` holds the permission bits of the key's file. `roots` holds the certificates that browsers trust, in PEM;
    if it is empty, it is unknown whether the chain ends at one of them.
    """

    chain_pem: bytes
    key_pem: bytes | None = None
    key_mode: int | None = None
    roots_pem: bytes = b""


def inspect(material: Material, hosts: Iterable[str], now: datetime, profile: str = "intermediate") -> list[TlsFinding]:
    """All that is wrong with it for a site of these names, worst first; `now` knows its time zone."""
    try:
        chain = x509.load_pem_x509_certificates(material.chain_pem)
    except ValueError:
        return [_unreadable(material.chain_pem)]
    leaf = chain[0]
    found = [
        *_wrong_names(leaf, hosts),
        *_wrong_dates(leaf, now),
        *_wrong_chain(chain, _loaded(material.roots_pem)),
        *_wrong_key(leaf, material),
        *_against_guideline(leaf, profile),
    ]
    return sorted(found, key=lambda finding: finding.level)


def covers(name: str, host: str) -> bool:
    """Whether a certificate's name stands for this host; `*` stands for one whole label, the first (RFC 9525)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if not name.startswith("*."):
        return name == host
    label, _, rest = host.partition(".")
    return bool(label) and rest == name[2:]


def names_of(certificate: x509.Certificate) -> list[str]:
    """The hosts and addresses that a certificate is for; browsers look at nothing else in it."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def _unreadable(pem: bytes) -> TlsFinding:
    if b"PRIVATE KEY" in pem and b"BEGIN CERTIFICATE" not in pem:
        return TlsFinding(
            "error", "not-a-certificate", "the certificate's file holds a key", "Exchange tls.certificate and tls.key."
        )
    if pem[:1] == b"\x30":
        hint = "Convert it: openssl x509 -inform DER -in FILE -out FILE.pem."
        return TlsFinding("error", "not-a-certificate", "the certificate is in DER, proxies read PEM", hint)
    hint = "It begins with -----BEGIN CERTIFICATE-----."
    return TlsFinding("error", "not-a-certificate", "the file contains no certificate", hint)


def _loaded(pem: bytes) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        # Some old authorities break a rule or two, which a site's operator cannot fix.
        warnings.simplefilter("ignore")
        return x509.load_pem_x509_certificates(pem) if pem.strip() else []


def _wrong_names(leaf: x509.Certificate, hosts: Iterable[str]) -> Iterator[TlsFinding]:
    names = names_of(leaf)
    for host in hosts:
        if not any(_same_address(name, host) or covers(name, host) for name in names):
            said = ", ".join(names) or "no name at all"
            hint = f"Get one that names {host} too."
            yield TlsFinding("error", "name", f"the certificate is for {said}, not for {host}", hint)


def _same_address(name: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False


def _wrong_dates(leaf: x509.Certificate, now: datetime) -> Iterator[TlsFinding]:
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if now < begins:
        what = f"the certificate is valid from {begins:%Y-%m-%d %H:%M} UTC only"
        yield TlsFinding("error", "not-yet-valid", what, "Check this machine's clock.")
    elif now >= ends:
        yield TlsFinding("error", "expired", f"the certificate has expired on {ends:%Y-%m-%d}", "Renew it now.")
    elif ends - now < min(SOON, (ends - begins) / 3):
        days = (ends - now).days
        what = f"the certificate expires in {days} {'day' if days == 1 else 'days'}, on {ends:%Y-%m-%d}"
        yield TlsFinding("warning", "expires-soon", what, "Renew it, and see why that did not happen by itself.")


def _wrong_chain(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> Iterator[TlsFinding]:
    leaf, last = chain[0], chain[-1]
    if _is_authority(leaf) and not all(map(_is_authority, chain)):
        hint = "Put the site's own first, then the one that signed it, and so on."
        yield TlsFinding("error", "order", "the first certificate of the file is not the site's", hint)
        return
    for number, (lower, upper) in enumerate(zip(chain, chain[1:], strict=False), start=1):
        if not _signed(lower, upper):
            what = f"certificate {number + 1} of the file did not sign certificate {number}"
            hint = "Put each before the one that signed it, and leave out what does not belong."
            yield TlsFinding("error", "order", what, hint)
            return
    if _signed(leaf, leaf):
        if leaf not in roots:
            hint = "Get one from an authority, or set tls.mode to acme."
            yield TlsFinding(
                "warning", "self-signed", "the certificate has signed itself, so no browser trusts it", hint
            )
    elif not _complete(last, roots):
        missing = _called(last.issuer)
        hint = "Append the intermediate certificates that came with it (often called chain or bundle)."
        if DEVELOPMENT_ORGANIZATION in missing:
            hint = "It is for development: give --roots authority.pem, and have your browser trust that."
        what = f"the chain ends before a certificate that browsers know: {missing} is missing"
        yield TlsFinding("error", "incomplete", what, hint)


def _complete(last: x509.Certificate, roots: Sequence[x509.Certificate]) -> bool:
    """Whether the last of a chain is a root, or was signed by one; without roots, whether it seems so."""
    if roots:
        return last in roots or any(_signed(last, root) for root in roots)
    return _signed(last, last) or _is_authority(last) or not _names_its_issuers_file(last)


def _names_its_issuers_file(certificate: x509.Certificate) -> bool:
    """Public authorities write where the certificate of an intermediate can be had."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return False
    return any(each.access_method == AuthorityInformationAccessOID.CA_ISSUERS for each in access)


def _signed(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _called(name: x509.Name) -> str:
    for kind in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := name.get_attributes_for_oid(kind):
            return str(found[0].value)
    return name.rfc4514_string()


def _wrong_key(leaf: x509.Certificate, material: Material) -> Iterator[TlsFinding]:
    mode = material.key_mode if system.has_file_modes() else None
    if mode is not None and mode & (OTHERS_MAY_READ | OTHERS_MAY_WRITE):
        what = f"the key's file has mode {mode & 0o777:o}, which lets others read or change it"
        yield TlsFinding("error", "key-mode", what, "chmod 600 it (640 for a group such as ssl-cert).")
    if material.key_pem is None:
        return
    try:
        key = load_pem_private_key(material.key_pem, password=None)
    except TypeError:
        hint = "Take it away (openssl pkey -in FILE -out FILE.open), and protect the file by its mode."
        yield TlsFinding(
            "error", "key-locked", "the key has a password, which a proxy cannot type when it starts", hint
        )
    except ValueError:
        hint = "It begins with -----BEGIN PRIVATE KEY----- or the like."
        yield TlsFinding("error", "not-a-key", "the key's file contains no key", hint)
    else:
        if _bytes_of(key.public_key()) != _bytes_of(leaf.public_key()):
            hint = "Take the key that the certificate was asked for with."
            yield TlsFinding("error", "key-mismatch", "the key does not belong to the certificate", hint)


def _bytes_of(key: CertificatePublicKeyTypes | PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _against_guideline(leaf: x509.Certificate, profile: str) -> Iterator[TlsFinding]:
    asked, named = guideline().profiles[profile].certificate, f'"{profile}" of {guideline()}'
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if "rsa" not in asked.keys:
            hint = "Ask for an ECDSA certificate on P-256."
            yield TlsFinding("warning", "guideline", f"the key is RSA, and {named} wants ECDSA", hint)
        elif key.key_size < (asked.rsa_bits or 0):
            what = f"the RSA key has {key.key_size} bits, and {named} wants {asked.rsa_bits}"
            yield TlsFinding("error", "weak", what, "Ask for a new certificate with a new key, best ECDSA on P-256.")
    elif isinstance(key, ec.EllipticCurvePublicKey):
        curve = CURVE_NAMES.get(key.curve.name, key.curve.name)
        if curve not in asked.curves:
            hint = "Ask for a new certificate with a key on P-256."
            yield TlsFinding("warning", "guideline", f"the key is on {curve}, and {named} wants P-256 or P-384", hint)
    if leaf.signature_hash_algorithm is not None and leaf.signature_hash_algorithm.name in ("md5", "sha1"):
        what = f"the certificate is signed with {leaf.signature_hash_algorithm.name}, which browsers refuse"
        yield TlsFinding("error", "weak", what, "Get a new one.")
    days = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days
    if days > asked.longest_days:
        what = f"the certificate lasts {days} days, and {named} allows {asked.longest_days}"
        yield TlsFinding("warning", "lifetime", what, "Renew more often, best by itself: tls.mode: acme.")
    yield from _wrong_use(leaf)


def _wrong_use(leaf: x509.Certificate) -> Iterator[TlsFinding]:
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(uses):
        yield TlsFinding("error", "use", "the certificate is not for servers", "Ask for one with the use serverAuth.")
