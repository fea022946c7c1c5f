"""An ACME authority of one's own: Pebble, which asks the sites under test for their challenges on a given port."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.support.ports import free_port
from tests.support.server import POLL_INTERVAL_S, START_DEADLINE_S, stop


@dataclass(frozen=True)
class Authority:
    """An authority that issues certificates to anyone who answers its challenges."""

    directory: str
    own_root: Path
    """what its own address is to be trusted by: REQUESTS_CA_BUNDLE for certbot"""
    environment: Mapping[str, str]
    management: str

    def root(self) -> bytes:
        """The root of what it issues, in PEM."""
        return _get(f"{self.management}/roots/0", self.own_root)


@contextmanager
def running_authority(folder: Path, http_port: int, address: str = "127.0.0.1") -> Iterator[Authority]:
    """Pebble, with a name server that says 127.0.0.1 to every question; it looks for challenges at `http_port`.

    It listens at `address`, which containers need to be one of a bridge of theirs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = trustme.CA()
    own.cert_pem.write_to_path(folder / "own-root.pem")
    issued = own.issue_cert("localhost", "127.0.0.1", address)
    issued.cert_chain_pems[0].write_to_path(folder / "own.pem")
    issued.private_key_pem.write_to_path(folder / "own.key")
    acme, management, names, steering = (free_port() for _ in range(4))
    configuration = {
        "listenAddress": f"{address}:{acme}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "own.pem"),
        "privateKey": str(folder / "own.key"),
        "httpPort": http_port,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": configuration}))
    name_server = [
        *("pebble-challtestsrv", "-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{steering}"),
        *("-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""),
    ]
    authority = ["pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{names}"]
    found = Authority(
        f"https://{'localhost' if address == '127.0.0.1' else address}:{acme}/dir",
        folder / "own-root.pem",
        {"REQUESTS_CA_BUNDLE": str(folder / "own-root.pem")},
        f"https://localhost:{management}",
    )
    with ExitStack() as stack:
        log = stack.enter_context((folder / "pebble.log").open("wb"))
        for command in (name_server, authority):
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            )  # fmt: skip
            stack.callback(stop, process)
        _wait(found, folder / "pebble.log")
        yield found


def certbot_program() -> str:
    """The path of certbot, which the tests' own environment holds."""
    import sys

    found = shutil.which("certbot", path=str(Path(sys.executable).parent)) or shutil.which("certbot")
    assert found is not None, "certbot is not installed"
    return found


def _wait(authority: Authority, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            _get(authority.directory, authority.own_root)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text(errors="replace")) from None
            time.sleep(POLL_INTERVAL_S)


def _get(url: str, root: Path) -> bytes:
    context = ssl.create_default_context(cafile=str(root))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=5) as answer:
        content: bytes = answer.read()
    return content
