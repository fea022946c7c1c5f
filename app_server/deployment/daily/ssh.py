"""Commands on the hosts of a deployment, by ssh as Ansible uses it."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app_server.deployment.plan.values import Machine
from app_server.deployment.reason import plain
from app_server.deployment.render.inventory import LOCAL
from app_server.errors import OperatorError
from app_server.tunnels.description import read_place

CONNECT_S = 10
ANSWER_S = 60.0
# A host that is lost is noticed within 15 s.
_OPTIONS = ("-o", f"ConnectTimeout={CONNECT_S}", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
FAILED = 255
"""The status of ssh itself if it has failed."""
# The password's line, which the script would take for its own input.
_FORGET = "IFS= read -r _; "
_NO_SUDO = "a password is required"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command on a host has printed, or why there is nothing."""

    machine: Machine
    said: str = ""
    fault: str | None = None


def password_of(environ: Mapping[str, str]) -> str | None:
    """The password for sudo, where Ansible's variables say that there is one: asked for, or from a file."""
    if environ.get("ANSIBLE_BECOME_ASK_PASS", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        return getpass.getpass("sudo's password on the hosts: ")
    if file := environ.get("ANSIBLE_BECOME_PASSWORD_FILE"):
        try:
            return Path(file).read_text(encoding="utf-8").rstrip("\n")
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            raise OperatorError(what, where=f"ANSIBLE_BECOME_PASSWORD_FILE {file}") from None
    return None


def words_on(machine: Machine, script: str, *words: str, terminal: bool = False, types: bool = False) -> list[str]:
    """The command that runs a shell script as root on a host; the script has the words as $1, $2 ...

    If it `types`, sudo reads a password from stdin.
    """
    inner = f"sh -c {shlex.join([script, 'sh', *words])}"
    remote = f'if [ "$(id -u)" = 0 ]; then {_FORGET if types else ""}exec {inner}; '
    if types:
        # Nor does sudo read a password that it does not need.
        remote += f"elif sudo -n true </dev/null 2>/dev/null; then {_FORGET}exec sudo -n -- {inner}; "
    become = "sudo" if terminal else "sudo -S -p ''" if types else "sudo -n"
    remote += f"else exec {become} -- {inner}; fi"
    place = read_place(machine.ssh, f"instances.hosts.{machine.name}.ssh")
    if place.host in LOCAL and place.user is None and place.port is None:
        return ["sh", "-c", remote]
    port = [] if place.port is None else ["-p", str(place.port)]
    return ["ssh", *_OPTIONS, *_of_ansible(os.environ), *port, "-tt" if terminal else "-T", place.login, remote]


def _of_ansible(environ: Mapping[str, str]) -> list[str]:
    """What Ansible's own variables say of ssh."""
    names = ("ANSIBLE_SSH_COMMON_ARGS", "ANSIBLE_SSH_EXTRA_ARGS")
    words = [word for name in names for word in shlex.split(environ.get(name, ""))]
    if key := environ.get("ANSIBLE_PRIVATE_KEY_FILE"):
        words += ["-i", key]
    return words


def ask_all(scripts: Mapping[str, tuple[Machine, str]], password: str | None = None) -> list[Answer]:
    """The answers of hosts to a script for each, asked at the same time."""
    with ThreadPoolExecutor(max(1, len(scripts))) as pool:
        return list(pool.map(lambda each: ask(each[0], each[1], password), scripts.values()))


def ask(machine: Machine, script: str, password: str | None = None) -> Answer:
    """What a script prints on a host, or why it does not. OperatorError if ssh is not installed."""
    words = words_on(machine, script, types=password is not None)
    try:
        done = subprocess.run(
            words, input=typed(password), capture_output=True, text=True, errors="replace",
            timeout=ANSWER_S, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise OperatorError(f"{words[0]} is not installed", where=machine.name) from None
    except subprocess.TimeoutExpired:
        return Answer(machine, fault=f"{machine.name}: did not answer within {ANSWER_S:g} s")
    if done.returncode == 0:
        return Answer(machine, done.stdout)
    return Answer(machine, fault=fault_of(machine, done.returncode, done.stderr))


def typed(password: str | None) -> str:
    """What a command reads that needs a password."""
    return "" if password is None else f"{password}\n"


def fault_of(machine: Machine, status: int, said: str) -> str:
    """Why a command on a host has failed, in one line."""
    lines = [line.strip() for line in plain(said).splitlines() if line.strip()]
    last = lines[-1].rstrip(".") if lines else f"ended with {status}"
    if status == FAILED:
        return f"{machine.name}: cannot be reached: {last}"
    if _NO_SUDO in last:
        return f"{machine.name}: sudo asks for a password there; set ANSIBLE_BECOME_ASK_PASS=true to be asked for it"
    return f"{machine.name}: {last}"
