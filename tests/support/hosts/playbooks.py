"""Hosts that are containers with systemd and sshd, and playbooks that are run against them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.client import fetch
from tests.support.containers.engine import docker
from tests.support.measuring import unmeasured
from tests.support.waiting import patience, until
from tools import engine

ROOT = Path(__file__).resolve().parents[3]
SUITE = "trixie"
VAULT = "vault-password"
"""The file with the password of ansible-vault, in the folder of a deployment."""
PLAYBOOK_DEADLINE_S = 600.0
BOOT_DEADLINE_S = 120.0
_RECAP = re.compile(r"^(\S+)\s+: (.*)$", re.MULTILINE)
# What changes on a host by itself, and what apt and dpkg keep about what was there once.
UNSTEADY = (
    "/dev", "/proc", "/run", "/sys", "/tmp", "/var/tmp", "/home", "/root", "/var/log", "/var/cache", "/var/lib/apt",
    "/var/lib/dpkg", "/var/lib/systemd", "/etc/.pwd.lock", "/etc/passwd-", "/etc/group-", "/etc/shadow-",
    "/etc/gshadow-", "/etc/machine-id", "/etc/ld.so.cache",
)  # fmt: skip


@dataclass(frozen=True)
class Host:
    """A container that a playbook takes for a machine."""

    name: str
    container: str
    address: str

    def run(self, *words: str, check: bool = True) -> str:
        """What a program prints there, run as root."""
        return docker("exec", self.container, *words, check=check)

    @contextmanager
    def without_network(self) -> Iterator[None]:
        """Its cable is pulled: nothing arrives there or from there, and no one is notified."""
        cable = self.run("cat", "/sys/class/net/eth0/iflink")
        shown = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        found = re.search(rf"^{cable}: ([^@:]+)", shown, re.MULTILINE)
        assert found is not None, shown
        subprocess.run(["ip", "link", "set", found[1], "down"], check=True)
        try:
            yield
        finally:
            subprocess.run(["ip", "link", "set", found[1], "up"], check=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing runs there."""
        docker("pause", self.container)
        try:
            yield
        finally:
            docker("unpause", self.container)


def files_of(host: Host) -> set[str]:
    """Every path on a host with its kind, mode and owner, but for what does not stay the same by itself."""
    pruned = " -o ".join(f"-path {path}" for path in UNSTEADY)
    return set(host.run("sh", "-c", rf"find / -xdev \( {pruned} \) -prune -o -printf '%y %m %u %p %l\n'").splitlines())


@contextmanager
def opened_pages(url: str) -> Iterator[Counter[int]]:
    """Someone who opens pages all the time; the statuses that came, 0 for no answer."""
    seen: Counter[int] = Counter()
    over = threading.Event()

    def visit() -> None:
        while not over.is_set():
            try:
                seen[fetch(url, timeout_s=30).status] += 1
            except OSError:
                seen[0] += 1
            over.wait(0.1)

    thread = threading.Thread(target=visit)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended."""

    status: int
    said: str

    def count(self, what: str) -> int:
        """How many tasks of all hosts were `changed`, `failed`, `unreachable`."""
        return sum(int(found) for _, line in _RECAP.findall(self.said) for found in re.findall(rf"{what}=(\d+)", line))

    @property
    def changed(self) -> set[str]:
        """The names of the tasks that have changed something, without their role's."""
        found, name = set(), ""
        for line in self.said.splitlines():
            if line.startswith("TASK ["):
                name = line[6:].partition("]")[0].rpartition(" : ")[2]
            elif line.startswith("changed: "):
                found.add(name)
        return found


@dataclass(frozen=True)
class Site:
    """A deployment for hosts: a folder with deploy.yaml, applications, and what is packed of them."""

    folder: Path
    hosts: Sequence[Host]
    packages: Sequence[Path]
    key: Path

    def pack(self) -> str:
        """Write inventory and release; what `app-server release` said."""
        inventory = _command(self.folder, "config", "inventory")
        (self.folder / "inventory.yml").write_text(inventory, encoding="utf-8")
        wheels = [word for path in self.packages for word in ("--packages", str(path))]
        return _command(self.folder, "release", "--output", "release", *wheels)

    def play(self, playbook: str, *flags: str, variables: Mapping[str, object] | None = None) -> Outcome:
        """Run a playbook against the hosts."""
        given = {
            "app_server_release_dir": str(self.folder / "release"),
            "app_server_offline": True,
            **(variables or {}),
        }
        (self.folder / "variables.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
        done = subprocess.run(
            [
                program("ansible-playbook"), "--inventory", self.folder / "inventory.yml",
                "--extra-vars", f"@{self.folder / 'variables.yml'}", *flags, ROOT / "ansible" / playbook,
            ],
            env={**unmeasured(os.environ), **self.environ}, cwd=self.folder, timeout=patience(PLAYBOOK_DEADLINE_S),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        (self.folder / f"{playbook}.log").write_text(done.stdout, encoding="utf-8")
        return Outcome(done.returncode, done.stdout)

    def command(self, *words: str) -> tuple[int, str]:
        """The status and the words of an `app-server` command in the folder."""
        done = subprocess.run(
            [sys.executable, "-m", "app_server", *words], env={**os.environ, **self.environ}, cwd=self.folder,
            timeout=patience(PLAYBOOK_DEADLINE_S), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    @property
    def environ(self) -> Mapping[str, str]:
        """What Ansible is given besides its own configuration: the hosts' keys."""
        return {
            "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"),
            "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={self.folder / 'known_hosts'} -o ConnectTimeout=10",
            "ANSIBLE_PRIVATE_KEY_FILE": str(self.key),
            "ANSIBLE_NOCOLOR": "1",
            **({"ANSIBLE_VAULT_PASSWORD_FILE": str(vault)} if (vault := self.folder / VAULT).exists() else {}),
        }


def program(name: str) -> Path:
    """A program of Ansible's."""
    return Path(sys.executable).parent / name


def _command(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "app_server", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def image_of(suite: str) -> str:
    """The name of the image of a bare host with this suite of Debian."""
    return f"app-server-host-{suite}:test"


def build_image(suite: str = SUITE) -> str:
    """The image of a bare host; the engine's cache makes that quick."""
    engine.base_image(suite)
    folder, name = ROOT / "tests/ansible", image_of(suite)
    words = ("--build-arg", f"SUITE={suite}", "--file", folder / "host.Dockerfile", folder)
    docker("build", "--quiet", "--tag", name, *words)
    return name


def wheelhouse(suite: str = SUITE) -> Path:
    """The folder with the wheels that hosts install, gathered once by a host's Python and kept for the next run."""
    requirements = (ROOT / "requirements" / "image.txt").read_bytes()
    folder = engine.FOLDER / f"wheels-{suite}-{hashlib.sha256(requirements).hexdigest()[:12]}"
    with (engine.FOLDER / "wheels-lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _gather(folder, suite)
    return folder


def _gather(folder: Path, suite: str) -> None:
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        pip = [word for name, value in _pip_variables() for word in ("--env", f"{name}={value}")]
        gather = "python3 -m venv /tmp/python && /tmp/python/bin/python /source/tools/wheelhouse.py /wheels"
        docker(
            "run", "--rm", "--network", "host", *pip, "--volume", f"{ROOT}:/source:ro", "--volume", f"{folder}:/wheels",
            image_of(suite), "sh", "-c", gather,
        )  # fmt: skip
        for wheel in folder.glob("app_server-*.whl"):
            wheel.unlink()
        (folder / "complete").touch()


def _pip_variables() -> Iterator[tuple[str, str]]:
    """How this machine's pip reaches its index, for a pip elsewhere."""
    for option in ("index-url", "trusted-host", "proxy", "cert"):
        found = subprocess.run(
            [sys.executable, "-m", "pip", "config", "get", f"global.{option}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            yield f"PIP_{option.upper().replace('-', '_')}", found.stdout.strip()
    yield from ((name, value) for name, value in os.environ.items() if name.lower().endswith("_proxy"))


@contextmanager
def running_hosts(
    images: Mapping[str, str], addresses: Mapping[str, str], network: str, key: Path
) -> Iterator[list[Host]]:
    """A host of each image, by their names; `key` lets `admin` in, and beside it `known_hosts` gets the hosts' keys."""
    with ExitStack() as stack:
        hosts = []
        for name, image in images.items():
            host = Host(name, f"app-server-test-{uuid.uuid4().hex[:12]}", addresses[name])
            stack.callback(docker, "rm", "--force", "--volumes", host.container, check=False)
            docker(
                "run", "--detach", "--name", host.container, "--hostname", name, "--privileged", "--cgroupns=private",
                "--network", network, "--ip", host.address,
                "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", image,
            )  # fmt: skip
            hosts.append(host)
        known = [f"{host.address} {_let_in(host, key)}\n" for host in hosts]
        key.with_name("known_hosts").write_text("".join(known), encoding="ascii")
        yield hosts


def _let_in(host: Host, key: Path) -> str:
    """Wait until a host is up, and let the owner of the key in; the host's own public key."""
    up = ("systemctl", "is-active", "ssh.service")
    until(lambda: host.run(*up, check=False) == "active", f"sshd of {host.name} runs", BOOT_DEADLINE_S)
    docker("cp", key.with_suffix(".pub"), f"{host.container}:/home/admin/.ssh/authorized_keys")
    host.run("chown", "admin:admin", "/home/admin/.ssh/authorized_keys")
    return host.run("cat", "/etc/ssh/ssh_host_ed25519_key.pub")
