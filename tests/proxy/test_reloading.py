"""The proxy of a cluster, started by its manifest's script: it takes a renewed certificate, and stops gracefully."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from app_server.deployment.render.kubernetes.front import RELOADING
from tests.support.deployments.proxies import proxy_folder
from tests.support.ports import free_port
from tests.support.waiting import until

PATIENCE_S = 20.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with proxy_folder() as found:
        (found / "secrets").mkdir()
        renew(found)
        yield found


def renew(folder: Path) -> bytes:
    """Put another certificate there; its serial number."""
    issued = trustme.CA().issue_cert("localhost")
    (folder / "secrets" / "certificate_key").write_bytes(issued.private_key_pem.bytes())
    (folder / "secrets" / "certificate").write_bytes(issued.cert_chain_pems[0].bytes())
    return issued.cert_chain_pems[0].bytes()


def shown(port: int) -> bytes:
    """The certificate that is shown there."""
    try:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=5).encode()
    except OSError:
        return b""


def test_renewed_certificate_is_shown_without_a_restart(folder: Path) -> None:
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(
        f"pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/secrets/certificate;"
        f" ssl_certificate_key {folder}/secrets/certificate_key; return 200 hello; }} }}\n"
    )
    command = ["nginx", "-c", str(conf), "-e", f"{folder}/error.log", "-g", "daemon off;"]
    words = ["/bin/sh", "-c", RELOADING, "sh", str(folder / "secrets"), "QUIT", "HUP", *command]
    with subprocess.Popen(words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}) as process:
        until(lambda: shown(port), patience_s=PATIENCE_S)
        renewed = renew(folder)
        until(lambda: shown(port).split() == renewed.split(), patience_s=PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert shown(port) == b""


def test_certificate_that_is_renewed_while_the_proxy_starts_is_loaded(folder: Path, tmp_path: Path) -> None:
    programs, log = tmp_path / "programs", tmp_path / "log"
    programs.mkdir()
    (programs / "cat").write_text('#!/bin/sh\nsleep 0.3\nexec /bin/cat "$@"\n')  # as on a busy machine
    (programs / "cat").chmod(0o755)
    proxy = f"""
        trap 'echo again >>{log}' HUP; trap 'exit 7' TERM
        echo renewed >{folder}/secrets/certificate; echo up >>{log}
        while :; do sleep 0.02; done"""
    script = RELOADING.replace("sleep 5", "sleep 0.02")
    words = ["/bin/sh", "-c", script, "sh", str(folder / "secrets"), "TERM", "HUP", "sh", "-c", proxy]
    with subprocess.Popen(words, env={"PATH": f"{programs}:/usr/bin:/bin"}, start_new_session=True) as process:
        try:
            until(lambda: log.exists() and log.read_text().split() == ["up", "again"], "the proxy is signalled")
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 7
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_program_that_ends_by_itself_ends_the_script(folder: Path) -> None:
    words = ["/bin/sh", "-c", RELOADING, "sh", str(folder / "secrets"), "QUIT", "HUP", "sh", "-c", "exit 3"]
    assert subprocess.run(words, timeout=PATIENCE_S, check=False).returncode == 3
