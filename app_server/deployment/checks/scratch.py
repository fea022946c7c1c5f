"""What scratch instances need: free ports, their own folder, temporary certificates, a process that ends."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from app_server import programs

# Enough for a busy machine; a proxy usually needs 40 ms.
START_S = 15.0
STOP_S = 5.0
LOOK_AGAIN_S = 0.01


def free_ports(count: int) -> list[int]:
    """Different loopback ports that are free at this moment."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def is_listening(port: int) -> bool:
    """Whether a loopback port accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str], log: Path, is_there: Callable[[], bool]) -> Iterator[str | None]:
    """Start a program that stays in the foreground; yields None once it runs, else what it printed before it ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_S
        while not is_there():
            if process.poll() is not None or time.monotonic() > deadline:
                yield log.read_text(encoding="utf-8", errors="replace") or f"it did not start within {START_S:g} s"
                return
            time.sleep(LOOK_AGAIN_S)
        yield None
    finally:
        programs.end(process, STOP_S)


def certificate_into(folder: Path, names: Sequence[str]) -> tuple[str, str]:
    """A certificate and its key that live as long as the folder."""
    import trustme

    issued = trustme.CA().issue_cert(*names)
    certificate, key = folder / "scratch.pem", folder / "scratch.key"
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return str(certificate), str(key)
