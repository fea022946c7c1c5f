"""The files at the root of the project: as they are, with TLS, with Apache, and for development."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.client import Site
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT
from tests.support.containers.stack import app_server
from tests.support.ports import free_port


@contextmanager
def composed(folder: Path, *files: str, ports: str, services: tuple[str, ...] = ()) -> Iterator[None]:
    """The project's files, brought up with other ports than the ones they state, which may be taken here."""
    (folder / "ports.yaml").write_text(ports, encoding="utf-8")
    project = f"app-server-test-{uuid.uuid4().hex[:8]}"
    named = [word for file in (*files, folder / "ports.yaml") for word in ("--file", str(file))]
    words = ("compose", "--project-name", project, "--project-directory", str(ROOT), *named)
    try:
        docker(*words, "up", "--detach", "--wait", "--build", *services)
        yield
    finally:
        docker(*words, "kill", check=False)
        docker(*words, "down", "--volumes", check=False)


def slider_works(url: str) -> None:
    """A session's page and its socket meet, and a slider's move is answered."""
    site = Site(url)
    with site.client("/fractal") as client:
        assert client.pull().msgtype == "PULL-DOC-REPLY"
    assert site.get("/").status == 200


# One instance suffices where all three have been seen before.
ALONE = "depends_on: !override {app-a1: {condition: service_healthy}}"


@pytest.mark.parametrize(
    ("override", "more"), [((), ""), (("compose.apache.yaml",), f", {ALONE}")], ids=["nginx", "apache"]
)
def test_examples_are_served(engine: None, tmp_path: Path, override: tuple[str, ...], more: str) -> None:
    port = free_port()
    ports = f'services: {{proxy: {{ports: !override ["127.0.0.1:{port}:8080"]{more}}}}}\n'
    files = [str(ROOT / file) for file in ("compose.yaml", *override)]
    with composed(tmp_path, *files, ports=ports, services=("proxy",) if more else ()):
        slider_works(f"http://localhost:{port}")


def test_examples_are_served_with_tls(engine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "certificates"
    made = app_server("certificate", "localhost", "--folder", folder)
    assert made.returncode == 0, made.stderr
    for path in (tmp_path, folder, *folder.iterdir()):
        path.chmod(0o755)
    monkeypatch.setenv("CERTIFICATE", str(folder / "localhost.pem"))
    monkeypatch.setenv("CERTIFICATE_KEY", str(folder / "localhost.key"))
    port = free_port()
    ports = f'services: {{proxy: {{ports: !override ["127.0.0.1:{port}:8443"], {ALONE}}}}}\n'
    files = [str(ROOT / file) for file in ("compose.yaml", "compose.tls.yaml")]
    with composed(tmp_path, *files, ports=ports, services=("proxy",)):
        slider_works(f"https://localhost:{port}")


def test_development_serves_the_folder_that_is_mounted(engine: None, tmp_path: Path) -> None:
    port = free_port()
    ports = f'services: {{app-a1: {{ports: !override ["127.0.0.1:{port}:5006"]}}}}\n'
    files = [str(ROOT / file) for file in ("compose.yaml", "compose.dev.yaml")]
    with composed(tmp_path, *files, ports=ports, services=("app-a1",)):
        slider_works(f"http://localhost:{port}")
        assert "/_dev" in Site(f"http://localhost:{port}").get("/fractal").text
