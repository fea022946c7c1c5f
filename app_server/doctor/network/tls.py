"""What TLS says of itself: several handshakes, each with one question."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route, connection, failure_of, lenient_context
from app_server.doctor.seen.answers import Tls

_OLD: Final = {"TLSv1": ssl.TLSVersion.TLSv1, "TLSv1.1": ssl.TLSVersion.TLSv1_1}


async def look_at_tls(route: Route, target: Target, ca_file: str | None) -> Tls:
    """The certificate as the authorities of this file, or the machine's, judge it, and the versions that are spoken."""
    try:
        async with connection(route, target) as (_, outgoing):
            sslobj = outgoing.get_extra_info("ssl_object")
            found = Tls(version=sslobj.version() or "", chain_length=_chain_length(sslobj))
            certificate = ssl.DER_cert_to_PEM_cert(sslobj.getpeercert(binary_form=True))
    except Exception as error:
        return Tls(failure=failure_of(error, route.timeout_s))
    versions = (ssl.TLSVersion.TLSv1_3, *_OLD.values())
    judged, named, (tls13, *old) = await asyncio.gather(
        _judge(route, target, trusted_context(ca_file), found),
        _name_fault(route, target, certificate),
        asyncio.gather(*(_accepts(route, target, version) for version in versions)),
    )
    spoken = tuple(name for name, accepted in zip(_OLD, old, strict=True) if accepted)
    return replace(judged, name_reason=named, has_tls13=tls13, old_versions=spoken)


async def _judge(route: Route, target: Target, context: ssl.SSLContext, found: Tls) -> Tls:
    """Whether the certificate is trusted, whatever name it is for."""
    try:
        async with connection(route, target, context) as (_, outgoing):
            certificate: dict[str, Any] = outgoing.get_extra_info("peercert") or {}
    except ssl.SSLCertVerificationError as error:
        return replace(found, trust_code=error.verify_code, trust_reason=error.verify_message)
    except Exception as error:
        return replace(found, failure=failure_of(error, route.timeout_s))
    return replace(
        found,
        not_before=ssl.cert_time_to_seconds(certificate["notBefore"]) if "notBefore" in certificate else None,
        not_after=ssl.cert_time_to_seconds(certificate["notAfter"]) if "notAfter" in certificate else None,
        issuer=_organization(certificate.get("issuer", ())),
    )


async def _name_fault(route: Route, target: Target, certificate: str) -> str:
    """Why this certificate, in PEM, is not for this host; "" where it is. Whether it is trusted does not matter.

    It is its own authority here: OpenSSL then has only the name to complain of.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=certificate)
        async with connection(route, target, context):
            return ""
    except ssl.SSLCertVerificationError as error:
        # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
        return error.verify_message if error.verify_code in (62, 64) else ""
    except Exception as error:
        failure_of(error)
        return ""


async def _accepts(route: Route, target: Target, version: ssl.TLSVersion) -> bool:
    """Whether the other end speaks this version and no other."""
    context = lenient_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that they are outdated is why they are asked for
        context.minimum_version = context.maximum_version = version
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")  # else our own OpenSSL would refuse the old ones
        async with connection(route, target, context):
            return True
    except Exception as error:
        failure_of(error)
        return False


def trusted_context(ca_file: str | None) -> ssl.SSLContext:
    """What judges certificates, whatever names they are for: this file's authorities, or else the machine's.

    Raises OSError where the file cannot be read as certificates.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.check_hostname = False
    return context


def _organization(names: Sequence[Sequence[tuple[str, str]]]) -> str:
    """The organization of an X.509 name, as Python's ssl module spells it."""
    pairs = (pair for part in names for pair in part)
    return next((value for kind, value in pairs if kind == "organizationName"), "")


def _chain_length(sslobj: Any) -> int:
    """How many certificates came; Python 3.13 made this public."""
    get = getattr(sslobj, "get_unverified_chain", None) or getattr(sslobj._sslobj, "get_unverified_chain", None)
    chain = get() if get is not None else None
    return len(chain or ())
