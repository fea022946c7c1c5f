"""A certificate by ACME for containers: the first one, and a renewed one, without a request that fails."""

from __future__ import annotations

import json
import re
import socket
import ssl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.containers.engine import docker
from tests.support.containers.images import build
from tests.support.containers.stack import Stack, app_server, removed, written_stack
from tests.support.ports import free_port
from tests.support.servers.acme import Authority, running_authority
from tests.support.waiting import until

HOST = "plots.example.org"
DEPLOY = f"""
name: {{name}}
apps: {{who: who.py}}
public: {HOST}
tls: {{mode: acme, acme: {{email: a@example.org, directory: "DIRECTORY", image: "IMAGE", authority: "ROOT_PEM"}}}}
paths: {{apps: "{{root}}/tests/container/apps"}}
containers:
  images: {{app: "APP", proxy: "PROXY"}}
  publish: {{http: {{port}}, https: HTTPS, address: 127.0.0.1}}
"""
CERTBOT = """\
FROM debian:trixie-slim
RUN apt-get update \\
 && apt-get install --yes --no-install-recommends certbot openssl \\
 && rm -rf /var/lib/apt/lists/*
"""


@pytest.fixture
def certbot(engine: None) -> Iterator[str]:
    """An image with certbot, as its authors' own cannot be had everywhere."""
    name = f"app-server-test-{uuid.uuid4().hex[:8]}:certbot"
    docker("build", "--quiet", "--tag", name, "-", text=CERTBOT, timeout_s=600)
    yield name
    docker("rmi", name)


def served(authority: Authority, port: int) -> bytes | None:
    """The certificate that the proxy shows to those who trust the authority; None if it is another one's."""
    context = ssl.create_default_context(cadata=authority.root().decode())
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            return secure.getpeercert(binary_form=True)
    except (ssl.SSLCertVerificationError, ConnectionError):
        return None


@contextmanager
def rolled_out(folder: Path, text: str, port: int) -> Iterator[Stack]:
    """A stack that `app-server deploy compose` has rolled out; nothing of it remains."""
    written = written_stack(folder, text, port=port)
    stack = Stack(written.name, port, folder / "deployed" / written.name / "current")
    try:
        done = app_server("deploy", "compose", cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(r"^  certbot +started in .*\n  proxy +started", done.stdout, re.MULTILINE), done.stdout
        yield stack
    finally:
        removed(stack)
        label = f"label=com.docker.compose.project={stack.name}"
        for volume in docker("volume", "ls", "--quiet", "--filter", label).split():
            docker("volume", "rm", volume)


def started(stack: Stack) -> str:
    """When the proxy's container was started."""
    return str(stack.inspect("proxy")["State"]["StartedAt"])


def test_first_certificate_and_its_renewal_reach_the_running_proxy(
    app_image: str, certbot: str, tmp_path: Path
) -> None:
    http, https = free_port(), free_port()
    bridge = docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    with running_authority(tmp_path / "authority", http, bridge) as authority:
        text = DEPLOY.replace("DIRECTORY", authority.directory).replace("IMAGE", certbot)
        text = text.replace("ROOT_PEM", str(authority.own_root)).replace("HTTPS", str(https))
        text = text.replace("APP", app_image).replace("PROXY", build("app-server-nginx"))
        with rolled_out(tmp_path, text, http) as stack:
            since = started(stack)
            until(lambda: served(authority, https) is not None, "the first certificate is served", 120)
            first = served(authority, https)
            key = stack.run("proxy", "stat", "--format", "%a %u %g", "/run/certificates/key.pem")
            assert key == "400 10002 10001"
            folders = ("--config-dir", "/etc/letsencrypt", "--work-dir", "/tmp/work", "--logs-dir", "/tmp/logs")
            stack.run("certbot", "certbot", *folders, "renew", "--force-renewal", "--no-random-sleep-on-renew")
            # It begins again, and finds what it has.
            docker("restart", stack.container("certbot"))
            until(lambda: served(authority, https) not in (None, first), "the renewed certificate is served", 60)
            assert started(stack) == since
            assert "installed a new certificate" in stack.logs("certbot")
            done = app_server("deploy", "status", "--json", cwd=tmp_path)
            states = {each["name"]: each["state"] for each in json.loads(done.stdout)["instances"]}
            assert states == {"a1": "healthy", "certbot": "healthy", "proxy": "healthy"}
