"""What the doctor learns of a certificate in real handshakes, one fault beside another."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from app_server.doctor.address import read_target
from app_server.doctor.network.connection import Route
from app_server.doctor.network.tls import look_at_tls
from app_server.doctor.seen.answers import Tls

NAME = "app.test"


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, str]:
    found = trustme.CA(organization_name="An authority")
    path = tmp_path / "authority.pem"
    found.cert_pem.write_to_path(str(path))
    return found, str(path)


@asynccontextmanager
async def seen(certificate: trustme.LeafCert, ca_file: str | None) -> AsyncIterator[Tls]:
    """What the doctor sees of a server that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        target = read_target(f"https://{NAME}:{server.sockets[0].getsockname()[1]}/")
        yield await look_at_tls(Route("127.0.0.1", timeout_s=20), target, ca_file)


async def test_trusted_certificate_of_the_host_is_well(authority: tuple[trustme.CA, str]) -> None:
    ca, file = authority
    async with seen(ca.issue_cert(NAME), file) as found:
        assert (found.failure, found.trust_code, found.name_reason, found.issuer) == (None, 0, "", "An authority")


async def test_untrusted_certificate_does_not_hide_a_wrong_name(authority: tuple[trustme.CA, str]) -> None:
    ca, _ = authority
    async with seen(ca.issue_cert("other.test"), None) as found:
        assert found.trust_code != 0
        assert f"not valid for '{NAME}'" in found.name_reason
    async with seen(ca.issue_cert(NAME), None) as found:
        assert found.trust_code != 0 and found.name_reason == ""
