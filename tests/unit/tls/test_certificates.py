"""What is found in certificates that are wrong, and that nothing is found in those that are right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from app_server.tls.certificates import Material, TlsFinding, covers, inspect

NOW = datetime.now(UTC)
HOST = "plots.example.org"
AUTHORITY = trustme.CA()
ROOT = AUTHORITY.cert_pem.bytes()


def issued(*names: str, days: float = 80, authority: trustme.CA = AUTHORITY, **about: object) -> trustme.LeafCert:
    """A certificate that ends in so many days."""
    return authority.issue_cert(*names, not_after=NOW + timedelta(days=days), **about)  # type: ignore[arg-type]


def chain_of(certificate: trustme.LeafCert) -> bytes:
    """What a site's file holds."""
    return b"".join(each.bytes() for each in certificate.cert_chain_pems)


def found(material: Material, *hosts: str, now: datetime = NOW, profile: str = "intermediate") -> list[str]:
    """The findings as lines, but for the lifetime: trustme's certificates begin in the year 2000."""
    return [str(each) for each in inspect(material, hosts or (HOST,), now, profile) if each.name != "lifetime"]


def test_nothing_is_found_in_a_good_certificate() -> None:
    good = issued(HOST, "*.example.net", "10.1.2.3")
    material = Material(chain_of(good), good.private_key_pem.bytes(), 0o100600, ROOT)
    assert found(material, HOST, "any.example.net", "10.1.2.3") == []


def test_nothing_is_found_in_a_chain_with_its_intermediate() -> None:
    good = issued(HOST, authority=AUTHORITY.create_child_ca())
    assert found(Material(chain_of(good), good.private_key_pem.bytes(), 0o640, ROOT)) == []


def test_missing_name_is_told_with_those_that_are_there() -> None:
    assert found(Material(chain_of(issued("www.example.org", "*.example.net"))), HOST, "a.b.example.net") == [
        "error: the certificate is for www.example.org, *.example.net, not for plots.example.org."
        " Get one that names plots.example.org too.",
        "error: the certificate is for www.example.org, *.example.net, not for a.b.example.net."
        " Get one that names a.b.example.net too.",
    ]


@pytest.mark.parametrize(
    ("name", "host", "does"),
    [
        ("*.example.org", "a.example.org", True),
        ("*.Example.org", "A.example.ORG.", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "a.b.example.org", False),
        ("*.example.org", ".example.org", False),
        ("example.org", "example.org", True),
        ("example.org", "a.example.org", False),
    ],
)
def test_wildcard_stands_for_one_label(name: str, host: str, does: bool) -> None:
    assert covers(name, host) is does


def test_expired_certificate_is_an_error() -> None:
    ends = NOW + timedelta(days=1)
    assert found(Material(chain_of(issued(HOST, days=1))), now=NOW + timedelta(days=2)) == [
        f"error: the certificate has expired on {ends:%Y-%m-%d}. Renew it now."
    ]


def test_certificate_that_ends_soon_is_a_warning() -> None:
    ends = NOW + timedelta(days=29.5)
    assert found(Material(chain_of(issued(HOST, days=29.5)))) == [
        f"warning: the certificate expires in 29 days, on {ends:%Y-%m-%d}."
        " Renew it, and see why that did not happen by itself."
    ]


def test_certificate_of_a_few_days_is_not_always_ending_soon() -> None:
    short = AUTHORITY.issue_cert(HOST, not_before=NOW, not_after=NOW + timedelta(days=6))
    assert inspect(Material(chain_of(short)), [HOST], NOW + timedelta(days=3)) == []
    [finding] = inspect(Material(chain_of(short)), [HOST], NOW + timedelta(days=4.5))
    assert finding.name == "expires-soon"


def test_certificate_from_the_future_points_to_the_clock() -> None:
    young = AUTHORITY.issue_cert(HOST, not_before=NOW, not_after=NOW + timedelta(days=60))
    [finding] = inspect(Material(chain_of(young)), [HOST], NOW - timedelta(days=1))
    assert finding == TlsFinding(
        "error", "not-yet-valid", f"the certificate is valid from {NOW:%Y-%m-%d %H:%M} UTC only",
        "Check this machine's clock.",
    )  # fmt: skip


def test_missing_intermediate_is_found_where_the_roots_are_known() -> None:
    middle = AUTHORITY.create_child_ca()
    leaf = issued(HOST, authority=middle).cert_chain_pems[0].bytes()
    [finding] = inspect(Material(leaf, roots_pem=ROOT), [HOST], NOW)[:1]
    assert (finding.level, finding.name) == ("error", "incomplete")
    assert finding.hint == "Append the intermediate certificates that came with it (often called chain or bundle)."


def test_turned_chain_is_found() -> None:
    good = issued(HOST, authority=AUTHORITY.create_child_ca())
    turned = b"".join(each.bytes() for each in reversed(good.cert_chain_pems))
    assert (
        "error: the first certificate of the file is not the site's. Put the site's own first, then the one that"
        in ("\n".join(found(Material(turned))))
    )


def test_chain_of_strangers_is_found() -> None:
    strangers = chain_of(issued(HOST)) + trustme.CA().cert_pem.bytes()
    assert found(Material(strangers)) == [
        "error: certificate 2 of the file did not sign certificate 1."
        " Put each before the one that signed it, and leave out what does not belong."
    ]


def test_certificate_that_signed_itself_is_a_warning() -> None:
    alone = trustme.CA().cert_pem.bytes()
    assert "warning: the certificate has signed itself, so no browser trusts it." in "\n".join(found(Material(alone)))


def test_key_of_another_certificate_is_found() -> None:
    material = Material(chain_of(issued(HOST)), issued(HOST).private_key_pem.bytes())
    assert found(material) == [
        "error: the key does not belong to the certificate. Take the key that the certificate was asked for with."
    ]


def test_locked_key_is_found() -> None:
    good = issued(HOST)
    key = serialization.load_pem_private_key(good.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
    )
    assert found(Material(chain_of(good), locked)) == [
        "error: the key has a password, which a proxy cannot type when it starts."
        " Take it away (openssl pkey -in FILE -out FILE.open), and protect the file by its mode."
    ]


@pytest.mark.parametrize(("mode", "wrong"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True)])
def test_key_that_others_can_read_or_change_is_found(mode: int, wrong: bool) -> None:
    lines = found(Material(chain_of(issued(HOST)), key_mode=0o100000 | mode))
    assert (
        lines
        == [
            f"error: the key's file has mode {mode:o}, which lets others read or change it."
            " chmod 600 it (640 for a group such as ssl-cert)."
        ]
        * wrong
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file contains no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nrubbish\n", "the file contains no certificate"),
        (issued(HOST).private_key_pem.bytes(), "the certificate's file holds a key"),
        (
            x509.load_pem_x509_certificate(ROOT).public_bytes(Encoding.DER),
            "the certificate is in DER, proxies read PEM",
        ),
    ],
)
def test_file_without_a_certificate_is_told_by_what_is_in_it(content: bytes, what: str) -> None:
    [finding] = inspect(Material(content), [HOST], NOW)
    assert (finding.name, finding.what) == ("not-a-certificate", what)


def test_file_without_a_key_is_found() -> None:
    assert found(Material(chain_of(issued(HOST)), b"rubbish")) == [
        "error: the key's file contains no key. It begins with -----BEGIN PRIVATE KEY----- or the like."
    ]


def test_rsa_key_is_not_modern() -> None:
    material = Material(chain_of(issued(HOST, key_type=trustme.KeyType.RSA)))
    assert found(material) == []
    assert found(material, profile="modern") == [
        'warning: the key is RSA, and "modern" of Mozilla\'s guideline 6.0 of 2026-04-06 wants ECDSA.'
        " Ask for an ECDSA certificate on P-256."
    ]


def test_short_rsa_key_is_an_error() -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    from cryptography.hazmat.primitives import hashes

    weak = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    assert found(Material(weak.public_bytes(Encoding.PEM))) == [
        'error: the RSA key has 1024 bits, and "intermediate" of Mozilla\'s guideline 6.0 of 2026-04-06 wants 2048.'
        " Ask for a new certificate with a new key, best ECDSA on P-256.",
        "error: the certificate is not for servers. Ask for one with the use serverAuth.",
        "warning: the certificate has signed itself, so no browser trusts it."
        " Get one from an authority, or set tls.mode to acme.",
    ]


def test_certificate_of_many_years_is_a_warning() -> None:
    [finding] = inspect(Material(chain_of(issued(HOST))), [HOST], NOW)
    assert (finding.level, finding.name) == ("warning", "lifetime")
    assert "allows 366" in finding.what
