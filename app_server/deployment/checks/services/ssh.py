"""Tunnels: how `ssh -G` reads the configuration, how sshd reads the other side's, and the files they need."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app_server.deployment.checks import CheckFinding
from app_server.deployment.checks.programs import Answer, find, of_target, run, write
from app_server.deployment.checks.services.systemd import check_units
from app_server.deployment.plan.values import Plan
from app_server.deployment.render import Files
from app_server.deployment.render.services.ssh import other_side_of, tunnels_of
from app_server.tunnels.description import Form, Tunnel
from app_server.tunnels.ssh import GATEWAY_USER

# Options that a safe tunnel needs, as ssh -G prints them.
EXPECTED = {
    "exitonforwardfailure": "yes",
    "batchmode": "yes",
    "stricthostkeychecking": "true",
    "sessiontype": "none",
    "controlmaster": "false",
}
# The same for the other side, as sshd -T prints them.
EXPECTED_THERE = {
    "maxsessions": "0",
    "gatewayports": "no",
    "permittty": "no",
    "x11forwarding": "no",
    "allowagentforwarding": "no",
    "allowstreamlocalforwarding": "no",
    "forcecommand": "/bin/false",
}
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check(plan: Plan, files: Files) -> Iterator[CheckFinding]:
    """What is wrong with the tunnels, here and on the other side."""
    tunnels = tunnels_of(plan)
    if not tunnels:
        return
    with tempfile.TemporaryDirectory(prefix="app-server-check-") as name:
        folder = Path(name)
        yield from _ssh(files, tunnels, folder)
        yield from _sshd(files, tunnels, folder)
    for tunnel in tunnels:
        yield from _needed(tunnel)
    yield from check_units(files, "ssh")


def _ssh(files: Files, tunnels: tuple[Tunnel, ...], folder: Path) -> Iterator[CheckFinding]:
    program = find("ssh")
    if program is None:
        yield CheckFinding("note", "ssh is not installed here; the configuration was not read", where="ssh/config")
        return
    (config,) = write(folder, of_target(files, "ssh", "config"))
    for tunnel in tunnels:
        answer = run([program, "-G", "-F", config, tunnel.name])
        if answer.status != 0:
            yield CheckFinding("fault", f"ssh refuses it: {_said(answer, folder)}", where="ssh/config")
            continue
        found = _settings(answer)
        wrong = [f"{key} {found.get(key)}" for key, value in EXPECTED.items() if found.get(key, value) != value]
        keyword = "localforward" if tunnel.form is Form.LOCAL else "remoteforward"
        if keyword not in found:
            wrong.append(f"no {keyword}")
        if wrong:
            yield CheckFinding("fault", f"ssh takes it for {', '.join(wrong)}", where=f"tunnels.{tunnel.name}")
        else:
            yield CheckFinding("good", "ssh reads the configuration as intended", where=f"tunnels.{tunnel.name}")


def _sshd(files: Files, tunnels: tuple[Tunnel, ...], folder: Path) -> Iterator[CheckFinding]:
    """Whether sshd would restrict the tunnels' user to the tunnels."""
    program, keygen = find("sshd"), find("ssh-keygen")
    snippets = [(path, file) for path, file in of_target(files, "ssh", ".conf") if "/other-side/" in path]
    if program is None or keygen is None:
        yield CheckFinding(
            "note", "sshd is not installed here; the other side's configuration was not read", where="ssh"
        )
        return
    key = folder / "host_key"
    run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", key])
    for (path, _), written in zip(snippets, write(folder, snippets), strict=True):
        for user in _users(tunnels, path):
            answer = run([program, "-T", "-f", written, "-h", key, "-C", f"user={user},host=h,addr=192.0.2.1"])
            if "privilege separation directory" in answer.text:
                what = "sshd is not set up here; the other side's configuration was not read"
                yield CheckFinding("note", what, where=path)
            elif answer.status != 0:
                yield CheckFinding("fault", f"sshd refuses it: {_said(answer, folder)}", where=path)
            else:
                found = _settings(answer)
                wrong = [f"{key} {found.get(key)}" for key, value in EXPECTED_THERE.items() if found.get(key) != value]
                if wrong:
                    yield CheckFinding("fault", f"sshd takes it for {', '.join(wrong)}", where=path)
                else:
                    yield CheckFinding("good", f"sshd lets {user} have the tunnels and nothing else", where=path)


def _users(tunnels: tuple[Tunnel, ...], path: str) -> list[str]:
    mine = [tunnel for tunnel in tunnels if other_side_of(tunnel) == path]
    return sorted({tunnel.destination.user or GATEWAY_USER for tunnel in mine})


def _needed(tunnel: Tunnel) -> Iterator[CheckFinding]:
    """The key and the known hosts, if they are on this machine."""
    where = f"tunnels.{tunnel.name}"
    for path, hint in (
        (tunnel.identity, "Create one with ssh-keygen -t ed25519, and give its .pub to the other side."),
        (tunnel.known_hosts, "ssh-keyscan prints its content; compare that with what the host's owner says."),
    ):
        if path is not None and not os.path.exists(path):
            yield CheckFinding("note", f"{path} is not on this machine", where=where, hint=hint)
    if tunnel.identity is not None and os.path.exists(tunnel.identity):
        if os.stat(tunnel.identity).st_mode & OTHERS:
            hint = f"chmod 600 {tunnel.identity}"
            yield CheckFinding("fault", "other users may read the private key; ssh refuses it", where=where, hint=hint)


def _settings(answer: Answer) -> dict[str, str]:
    """Keywords in lower case with their values, as -G and -T print them."""
    return {key: value for key, _, value in (line.partition(" ") for line in answer.lines)}


def _said(answer: Answer, folder: Path) -> str:
    return " ".join(answer.lines).replace(f"{folder}/", "")[-300:]
