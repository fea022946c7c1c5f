"""A registry of images on this machine, which asks for a name and a password."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from tests.support.ports import free_port
from tests.support.waiting import until

USER, PASSWORD = "ann", "secret"
# Engines take registries at loopback addresses without TLS.
CONFIGURATION = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: test, path: {folder}/users}}}}
"""


@dataclass(frozen=True)
class Registry:
    """Where it is, and a configuration of docker's client that is not the user's own."""

    address: str
    config: Path

    @property
    def env(self) -> dict[str, str]:
        """The variables of commands that use that configuration."""
        return {"DOCKER_CONFIG": str(self.config)}

    def log_in(self) -> None:
        """Log in, as a person does."""
        words = ["docker", "--config", str(self.config), "login", "--username", USER, "--password-stdin", self.address]
        subprocess.run(words, input=PASSWORD, text=True, check=True, capture_output=True)


@contextmanager
def running_registry(folder: Path) -> Iterator[Registry]:
    """A registry that answers while this lasts."""
    port = free_port()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "users").write_text(f"{USER}:{hashed}\n", encoding="ascii")
    (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
    (folder / "client").mkdir()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
        try:
            until(lambda: _asks(f"http://127.0.0.1:{port}/v2/", process, folder), "the registry answers", 30)
            yield Registry(f"127.0.0.1:{port}", folder / "client")
        finally:
            process.terminate()
            process.wait(30)


def _asks(url: str, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text(errors="replace")
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True
