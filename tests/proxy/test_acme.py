"""A certificate from an ACME authority: first, renewed and refused, through a generated nginx and certbot itself."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app_server.deployment.plan.values import Plan
from app_server.deployment.render.proxies.acme import files_of, site_of
from app_server.tls.acme import AcmeSite
from tests.support.deployments.deployed import plan_of, running_proxy_of
from tests.support.deployments.proxies import RunningProxy, proxy_folder
from tests.support.servers.acme import Authority, certbot_program, running_authority

HOST = "plots.example.org"
DEPLOYMENT = f"""
apps: {{sliders: sliders.py}}
public: {HOST}
tls: {{mode: acme, acme: {{email: operator@example.org, directory: "https://localhost/dir"}}}}
"""
PATIENCE_S = 60.0


@dataclass
class Scene:
    """A proxy without a certificate, and the authority that will give it one."""

    plan: Plan
    site: AcmeSite
    folder: Path
    authority: Authority

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What a command said."""
        environ = {**os.environ, **self.authority.environment}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    def served(self) -> bytes:
        """The certificate that the proxy shows, after a browser that trusts the authority has found it good."""
        context = ssl.create_default_context(cadata=self.authority.root().decode())
        with (
            socket.create_connection(("127.0.0.1", self.plan.listen_https), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            found = secure.getpeercert(binary_form=True)
        assert found is not None
        return found

    def wait_until_served_anew(self, before: bytes | None) -> bytes:
        """The next certificate, once the proxy has read it."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                now = self.served()
            except ssl.SSLCertVerificationError:  # the one that stands in for it
                now = before
            if now is not None and now != before:
                return now
            assert time.monotonic() < deadline, "the proxy still shows the certificate from before"
            time.sleep(0.02)


@pytest.fixture
def scene() -> Iterator[Scene]:
    """Everything but the proxy."""
    with proxy_folder() as folder:
        plan = plan_of(DEPLOYMENT, folder, folder)
        certbot = folder / "certbot"
        own = tuple(
            word for kind in ("config", "work", "logs") for word in (f"--{kind}-dir", str(certbot / kind))
        )  # fmt: skip
        with running_authority(folder / "authority", plan.listen_http) as authority:
            webroot = folder / "webroot"
            webroot.mkdir()
            assert plan.tls is not None
            plan = replace(plan, tls=replace(plan.tls, webroot=str(webroot)))
            site = replace(
                site_of(plan),
                directory=authority.directory,
                certbot=(certbot_program(), *own),
                config=str(certbot / "config"),
                hook=str(folder / "install-certificate.sh"),
                owner="nobody" if os.geteuid() == 0 else None,
                # The proxy is started by the test, as soon as it is asked for.
                start=("sh", "-c", f"touch {folder}/asked; until [ -e {folder}/up ]; do sleep 0.02; done"),
                test=("nginx", "-t", "-q", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"),
                reload=("sh", "-c", f"kill -HUP $(cat {folder}/nginx.pid)"),
            )
            for name, file in files_of(site, plan).items():
                path = folder / Path(name).name
                path.write_text(file.text, encoding="utf-8")
                path.chmod(file.mode)
            yield Scene(plan, site, folder, authority)


def first_certificate(scene: Scene) -> subprocess.Popen[str]:
    """The script that gets the first certificate, up to where it starts the proxy."""
    process = subprocess.Popen(
        [str(scene.folder / "certificate.sh")],
        env={**os.environ, **scene.authority.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (scene.folder / "asked").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[0]
        time.sleep(0.02)
    return process


def test_first_certificate_renewal_and_one_that_the_proxy_refuses(scene: Scene) -> None:
    process = first_certificate(scene)
    with running_proxy_of(scene.plan, scene.folder) as proxy:
        (scene.folder / "up").touch()
        said, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, said
        first = scene.wait_until_served_anew(None)
        assert (scene.folder / "tls" / "certificate.key").stat().st_mode & 0o777 == 0o600

        # Run again, the script leaves a good certificate where it is.
        again = scene.run(str(scene.folder / "certificate.sh"))
        assert again.returncode == 0, again.stdout + again.stderr
        assert scene.served() == first

        renewed = scene.run(*scene.site.renew, "--force-renewal")
        assert renewed.returncode == 0, renewed.stdout + renewed.stderr
        second = scene.wait_until_served_anew(first)

        refuse(scene, proxy)
        kept = (scene.folder / "tls" / "certificate.pem").read_bytes()
        scene.run(*scene.site.renew, "--force-renewal")
        assert (scene.folder / "tls" / "certificate.pem").read_bytes() == kept
        assert scene.served() == second


def refuse(scene: Scene, proxy: RunningProxy) -> None:
    """Give the proxy a configuration that it will not take again."""
    path = scene.folder / "nginx.conf"
    path.write_text(path.read_text() + "\nnonsense;\n")
    assert proxy.process.poll() is None
