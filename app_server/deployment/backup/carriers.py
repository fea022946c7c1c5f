"""The commands that run `app-server backup` and `restore` where a deployment's sessions are, with pipes to this one."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from app_server.deployment.backup.places import store_variables, store_words
from app_server.deployment.daily import ssh
from app_server.deployment.plan.values import Machine, Plan
from app_server.deployment.reason import plain
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.contents import project
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError


@dataclass(frozen=True)
class Carrier:
    """A command that is run for its stdin and stdout. `typed` is what it reads first, such as a password."""

    words: Sequence[str]
    where: str
    typed: str = ""

    def fetch(self, output: BinaryIO) -> None:
        """Write what the command prints. OperatorError if it fails."""
        self._run(self.typed.encode(), None, output)

    def send(self, file: BinaryIO) -> str:
        """Give the command a file to read; what it prints. OperatorError if it fails."""
        return self._run(self.typed.encode(), file, None)

    def _run(self, head: bytes, file: BinaryIO | None, output: BinaryIO | None) -> str:
        try:
            process = subprocess.Popen(
                self.words, stdin=subprocess.PIPE, stdout=output or subprocess.PIPE, stderr=subprocess.PIPE
            )
        except FileNotFoundError:
            raise OperatorError(f"{self.words[0]} is not installed", where=self.where) from None
        with process:
            assert process.stdin is not None
            try:
                _copy(head, file, process.stdin)
            except BrokenPipeError:
                pass  # It says on stderr why it has stopped reading.
            said, complained = process.communicate()
        if process.returncode != 0:
            raise OperatorError(reason_of(complained, process.returncode), where=self.where)
        return (said or b"").decode(errors="replace")


def _copy(head: bytes, file: BinaryIO | None, stdin: IO[bytes]) -> None:
    stdin.write(head)
    if file is not None:
        shutil.copyfileobj(file, stdin)
    stdin.flush()


def reason_of(complained: bytes, status: int) -> str:
    """Why a command has failed: our own error if it has printed one, else its last line."""
    lines = [line.strip() for line in plain(complained.decode(errors="replace")).splitlines() if line.strip()]
    own = [line.removeprefix("app-server: ") for line in lines if line.startswith("app-server: ")]
    return (own or lines or [f"ended with {status}"])[-1].rstrip(".")


def in_container(plan: Plan, store: Store, folder: Path, verb: str) -> Carrier:
    """The command in a container of its own, with the mounts and the user of the first instance.

    Instances may run meanwhile, or not. OperatorError if nothing was rolled out from here.
    """
    docker.require()
    current = store.current()
    if current is None:
        hint = "`app-server deploy compose` rolls it out."
        raise OperatorError("nothing was rolled out from here yet", where=str(store.folder), hint=hint)
    head = project(plan.name, store.path(current), folder).head()
    # In a folder without a deploy.yaml, which would be asked about.
    run = ["run", "--rm", "--no-deps", "--no-TTY", "--interactive", "--workdir", "/", "--entrypoint", "app-server"]
    words = [*run, f"app-{plan.instances[0].name}", verb, "-", *store_words(plan)]
    return Carrier(["docker", *head, *words], "docker compose run")


def on_host(
    plan: Plan, machine: Machine, verb: str, files: Mapping[str, Path], flags: Sequence[str], password: str | None
) -> Carrier:
    """The command on a host, as root."""
    also = [word for role, path in files.items() for word in ("--also", f"{role}={path}")]
    words = [*plan.paths.command, verb, "-", *store_words(plan), *also, *flags]
    variables = [f"{name}={shlex.quote(value)}" for name, value in store_variables(plan).items()]
    # In a folder without a deploy.yaml, which would be asked about.
    script = f"cd / && {' '.join(variables)} {shlex.join(words)}"
    return Carrier(ssh.words_on(machine, script, types=password is not None), machine.name, ssh.typed(password))


def machine_of(plan: Plan, name: str | None) -> Machine:
    """The host whose sessions and files are meant. OperatorError if that is not clear."""
    known = {machine.name: machine for machine in plan.machines if machine.instances}
    if name is None and (len(known) == 1 or plan.store.kind == "redis"):
        # Hosts share a Redis, and have the same secrets.
        return next(iter(known.values()))
    if name not in known:
        hint = f"There {'is' if len(known) == 1 else 'are'} {', '.join(known)}."
        what = "each host has its own sessions" if name is None else f"the deployment has no such host: {name[:60]!r}"
        raise OperatorError(what, where="--host", hint=hint)
    return known[name]
