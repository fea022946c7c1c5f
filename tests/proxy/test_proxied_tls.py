"""TLS of the generated nginx and Apache: sslyze's judgement, HTTP/2, redirects, files, a prefix, passwords."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app_server.deployment.plan.values import Plan
from app_server.tls.guideline import guideline
from tests.support.client import Site, fetch
from tests.support.deployments.deployed import plan_of, running_instances, running_proxy_of
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import free_port
from tests.support.server import REPOSITORY

DEPLOYMENT = """
apps: {{asking: asking.py}}
public: {{hosts: [localhost, 127.0.0.1], prefix: /tools}}
proxy: {{kind: {kind}, static: yes{ports}}}
tls: {{certificate: {folder}/localhost.pem, key: {folder}/localhost.key, profile: {profile}}}
paths: {{static: {folder}/static}}
"""
PROXIES = ("nginx", "apache")
# The instance knows its public address, and both proxies that lead to it have it in turn.
SAME_PORTS = f", http_port: {free_port()}, https_port: {free_port()}"


def write_certificate(folder: Path) -> None:
    """A certificate without the one flaw of trustme's, critical names, which sslyze's strict validator refuses."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issuer_key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    (folder / "localhost.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "localhost.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def plan_for(kind: str, folder: Path, profile: str = "intermediate", more: str = "", ports: str = "") -> Plan:
    """A deployment behind this proxy, with a certificate and a copy of BokehJS in the folder."""
    write_certificate(folder)
    (folder / "static" / "js").mkdir(parents=True, exist_ok=True)
    (folder / "static" / "js" / "bokeh.min.js").write_text("// BokehJS\n" * 500)
    text = DEPLOYMENT.format(kind=kind, ports=ports, folder=folder, profile=profile)
    return plan_of(text + more, folder, REPOSITORY / "tests" / "protocol" / "apps")


@pytest.fixture(scope="module")
def instance() -> Iterator[Plan]:
    """An instance that runs; both proxies lead to it, since its command is the same for both."""
    with proxy_folder() as folder:
        plan = plan_for("nginx", folder, ports=SAME_PORTS)
        with running_instances(plan):
            yield plan


@dataclass(frozen=True)
class Served:
    """A proxy with TLS that leads to the instance."""

    kind: str
    plan: Plan
    folder: Path

    @property
    def url(self) -> str:
        """The address with the prefix."""
        return self.plan.site.url.rstrip("/")


@pytest.fixture(scope="module", params=PROXIES)
def served(request: pytest.FixtureRequest, instance: Plan) -> Iterator[Served]:
    """Each proxy in turn."""
    with proxy_folder() as folder:
        flags = instance.instances[0].flags
        store = flags[flags.index("--store") + 1]
        text = f"\ninstances: {{port: {instance.instances[0].port}}}\nsessions: {{store: {store}}}\n"
        plan = plan_for(request.param, folder, more=text, ports=SAME_PORTS)
        assert plan.instances[0].flags == flags
        with running_proxy_of(plan, folder):
            yield Served(request.param, plan, folder)


def judged_by_sslyze(plan: Plan, folder: Path, profile: str) -> str:
    """What sslyze says of the running proxy, held against our own data of the guideline."""
    rules = guideline().profiles[profile]
    iana = [_iana_name(cipher) for cipher in rules.ciphers]
    data = {
        "certificate_curves": rules.certificate.curves,
        "certificate_signatures": rules.certificate.signatures,
        "certificate_types": rules.certificate.keys,
        "ciphers": {"caddy": iana, "go": iana, "iana": iana, "openssl": rules.ciphers},
        "ciphersuites": rules.ciphersuites,
        "dh_param_size": None,
        "ecdh_param_size": 256,
        "hsts_min_age": rules.hsts_s,
        "maximum_certificate_lifespan": rules.certificate.longest_days,
        "ocsp_staple": False,
        "recommended_certificate_lifespan": 90,
        "rsa_key_size": rules.certificate.rsa_bits,
        "server_preferred_order": rules.server_preference,
        "tls_curves": rules.groups,
        "tls_versions": rules.protocols,
    }
    (folder / "profile.json").write_text(json.dumps(data))
    command = [
        *(sys.executable, "-m", "sslyze", "--custom_tls_config", str(folder / "profile.json")),
        *("--certinfo_ca_file", str(folder / "authority.pem"), f"localhost:{plan.listen_https}"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


def _iana_name(cipher: str) -> str:
    """TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 for ECDHE-RSA-AES128-GCM-SHA256."""
    key, rest = re.fullmatch(r"ECDHE-(ECDSA|RSA)-(.*)", cipher).groups()  # type: ignore[union-attr]
    rest = rest.replace("AES", "AES_").replace("-", "_") + ("" if "SHA" in rest else "_SHA256")
    return f"TLS_ECDHE_{key}_WITH_{rest}"


@pytest.mark.parametrize("profile", ["intermediate", "modern"])
@pytest.mark.parametrize("kind", PROXIES)
def test_sslyze_finds_the_proxy_as_the_guideline_wants_it(kind: str, profile: str) -> None:
    with proxy_folder() as folder:
        plan = plan_for(kind, folder, profile)
        with running_proxy_of(plan, folder):
            said = judged_by_sslyze(plan, folder, profile)
    assert "OK - Compliant" in said, said


def alpn(port: int, *offered: str) -> str | None:
    """The protocol that is agreed upon."""
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(list(offered))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.selected_alpn_protocol()


def test_pages_come_over_http_2_and_sockets_over_http_1(served: Served) -> None:
    port = served.plan.listen_https
    assert alpn(port, "h2", "http/1.1") == "h2"
    assert alpn(port, "http/1.1") in ("http/1.1", None)
    page = fetch(served.url + "/asking")
    assert page.status == 200
    assert page.headers["strict-transport-security"] == "max-age=63072000"
    origin = f"https://{served.plan.site.authority}"
    with Site(served.url).client("/asking", page.token, origin=origin) as client:
        seen = json.loads(client.value("seen", "text"))
    assert (seen["protocol"], seen["remote_ip"]) == ("https", "127.0.0.1")


def test_site_is_found_by_its_address_too(served: Served) -> None:
    # A browser names no host within TLS then.
    assert fetch(served.url.replace("localhost", "127.0.0.1") + "/asking").status == 200
    assert fetch(served.url + "/asking", headers={"Host": "evil.example"}).status in (421, 444)


def test_http_leads_to_https_at_the_public_name(served: Served) -> None:
    plain = f"http://127.0.0.1:{served.plan.listen_http}"
    answer = fetch(plain + "/tools/asking?a=%2Fb%20c")
    assert answer.status == 301
    assert answer.headers["location"] == served.url + "/asking?a=%2Fb%20c"
    assert "strict-transport-security" not in answer.headers


def test_files_of_bokehjs_come_from_the_proxy_and_extensions_from_the_server(served: Served) -> None:
    file = fetch(served.url + "/static/js/bokeh.min.js?v=abc", headers={"Accept-Encoding": "gzip"})
    assert (file.status, file.headers["content-encoding"]) == (200, "gzip")
    assert "31536000" in file.headers["cache-control"]
    assert "31536000" not in fetch(served.url + "/static/js/bokeh.min.js").headers["cache-control"]
    assert fetch(served.url + "/static/").status in (403, 404)
    assert fetch(served.url + "/static/js").status in (301, 403, 404)
    assert fetch(served.url + "/static/extensions/none/none.js").headers["cache-control"] == "no-store"
    assert fetch(served.url + "/staticky").status == 404


def test_prefix_is_all_there_is(served: Served) -> None:
    assert fetch(served.url + "/asking").status == 200
    outside = served.url.removesuffix("/tools")
    assert fetch(outside + "/asking").status == 404
    assert fetch(outside + "/toolsasking").status == 404
    index = fetch(outside + "/tools")
    assert index.status in (301, 302)


@pytest.mark.parametrize("kind", PROXIES)
def test_name_and_password_are_asked_for_and_stay_with_the_proxy(kind: str, instance: Plan) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(proxy_folder())
        # What `htpasswd -nbs ann secret` prints: both proxies read it.
        (folder / "users").write_text("ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
        more = f"\ninstances: {{port: {instance.instances[0].port}}}\naccess: {{basic: {folder}/users}}\n"
        plan = plan_for(kind, folder, more=more)
        stack.enter_context(running_proxy_of(plan, folder))
        url = plan.site.url
        assert fetch(url + "asking").status == 401
        right = {"Authorization": "Basic " + base64.b64encode(b"ann:secret").decode()}
        page = fetch(url + "asking", headers=right)
        assert page.status == 200
        wrong = {"Authorization": "Basic " + base64.b64encode(b"ann:wrong").decode()}
        assert fetch(url + "static/js/bokeh.min.js", headers=wrong).status == 401
