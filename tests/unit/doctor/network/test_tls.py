"""What the doctor sees of TLS: certificates that are trusted or not, for this name or another, and old versions."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from pathlib import Path

import pytest
import trustme

from app_server.doctor.address import Target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.tls import look_at_tls, trusted_context
from app_server.doctor.seen.answers import Tls


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Tests")


@pytest.fixture(scope="module")
def root(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("authority") / "root.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


def look(issued: trustme.LeafCert | None, ca_file: str | None, least: ssl.TLSVersion | None = None) -> Tls:
    """What is seen of a server with this certificate; of one without TLS for None."""
    context = None
    if issued is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        if least is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = least
            context.set_ciphers("ALL:@SECLEVEL=0")

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await incoming.read(1)
        outgoing.close()

    async def go() -> Tls:
        async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
            target = Target("https", "app.test", server.sockets[0].getsockname()[1], "/")
            return await look_at_tls(Route("127.0.0.1", timeout_s=0.2 if issued is None else 10.0), target, ca_file)

    return asyncio.run(go())


def test_certificate_that_is_trusted(authority: trustme.CA, root: str) -> None:
    found = look(authority.issue_cert("app.test"), root)
    assert (found.version, found.has_tls13, found.old_versions) == ("TLSv1.3", True, ())
    assert (found.trust_code, found.name_reason, found.issuer, found.chain_length) == (0, "", "Tests", 1)
    assert found.not_before is not None and found.not_after is not None and found.not_before < found.not_after


def test_certificate_of_nobody_that_is_known(authority: trustme.CA) -> None:
    found = look(authority.issue_cert("app.test"), None)
    assert found.trust_code == 20 and "unable to get local issuer certificate" in found.trust_reason
    assert found.name_reason == ""


def test_certificate_for_another_name(authority: trustme.CA, root: str) -> None:
    found = look(authority.issue_cert("other.test"), root)
    assert (found.trust_code, found.name_reason) == (0, "Hostname mismatch, certificate is not valid for 'app.test'.")


def test_outdated_versions_are_named(authority: trustme.CA, root: str) -> None:
    assert look(authority.issue_cert("app.test"), root, ssl.TLSVersion.TLSv1).old_versions == ("TLSv1", "TLSv1.1")


def test_server_without_tls_is_a_failure() -> None:
    found = look(None, None)
    assert found.failure is not None and found.version == ""


def test_file_that_holds_no_certificates_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(ssl.SSLError):
        trusted_context(str(tmp_path / "none.pem"))
    with pytest.raises(FileNotFoundError):
        trusted_context(str(tmp_path / "missing.pem"))
