"""The machine's own engine, reached as that of another machine: by ssh, through an sshd at a loopback address."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import until

SSHD = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PidFile {folder}/pid
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""
SSH = """\
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known
    StrictHostKeyChecking accept-new
    ControlMaster auto
    ControlPath {folder}/s
    ControlPersist 10
"""


@contextmanager
def engine_by_ssh() -> Iterator[dict[str, str]]:
    """The variables of commands for which the engine is at ssh://127.0.0.1; an ssh of theirs knows the key."""
    # A short path: ssh's connections share a socket there.
    with tempfile.TemporaryDirectory(prefix="s-") as short:
        yield from _engine(Path(short))


def _engine(folder: Path) -> Iterator[dict[str, str]]:
    port, program = free_port(), shutil.which("ssh")
    assert program is not None
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "sshd_config").write_text(SSHD.format(folder=folder, port=port), encoding="utf-8")
    (folder / "ssh_config").write_text(SSH.format(folder=folder), encoding="utf-8")
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {program} -F {folder}/ssh_config "$@"\n', encoding="utf-8")
    (folder / "bin" / "ssh").chmod(0o755)
    Path("/run/sshd").mkdir(exist_ok=True)
    daemon = shutil.which("sshd") or "/usr/sbin/sshd"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([daemon, "-D", "-e", "-f", folder / "sshd_config"], stdout=log, stderr=log)
        try:
            until(lambda: _listens(port, process, folder), "sshd listens", 30)
            yield {
                "DOCKER_HOST": f"ssh://{getpass.getuser()}@127.0.0.1:{port}",
                "PATH": f"{folder}/bin:{os.environ['PATH']}",
            }
        finally:
            process.terminate()
            process.wait(30)


def _listens(port: int, process: subprocess.Popen[bytes], folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text(errors="replace")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
