"""Hosts that are kept as images once a deployment is installed on them, for later tests and later runs.

A place belongs to what the hosts are made of: the roles, the server, the base image. It has a network, so hosts
have the same addresses each time, and in `FOLDER` their keys and the deployment's own folder. One run has it at a time;
another of the same tree takes the next one. Places of other trees are dropped.
"""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import itertools
import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.containers.engine import docker
from tests.support.hosts.playbooks import ROOT, Host, build_image, image_of, running_hosts
from tools import engine

FOLDER = engine.FOLDER / "hosts"
LABEL = "app-server.test.place"
# What a host is made of besides its base image.
SOURCES = (
    "ansible", "app_server", "deploy", "docker", "hatch_build.py", "requirements", "tests/ansible",
    "tests/container/apps", "tests/support/hosts",
)  # fmt: skip
# Of pyproject.toml, what decides how the wheel is built; the rest is for those who work on it, also where it is packed.
TABLES = ("build-system", "project")
TOOLS = ("hatch",)


@dataclass(frozen=True)
class Place:
    """Where the hosts of these names run, and what is kept of them."""

    name: str
    names: Sequence[str]
    suite: str
    addresses: Mapping[str, str]

    @property
    def folder(self) -> Path:
        """What is kept of the place besides images."""
        return FOLDER / self.name

    @property
    def key(self) -> Path:
        """What logs in on the hosts."""
        return self.folder / "key"

    @property
    def is_kept(self) -> bool:
        """Whether there are images of hosts with the deployment."""
        return (self.folder / "before.json").exists() and all(map(_is_there, self._kept.values()))

    @property
    def _kept(self) -> Mapping[str, str]:
        return {name: f"app-server-host-kept:{self.name}-{name}" for name in self.names}

    @contextmanager
    def bare(self) -> Iterator[list[Host]]:
        """Hosts on which nothing of ours is."""
        images = dict.fromkeys(self.names, image_of(self.suite))
        with running_hosts(images, self.addresses, self.name, self.key) as hosts:
            yield hosts

    @contextmanager
    def again(self, site: Path) -> Iterator[tuple[list[Host], list[set[str]]]]:
        """The hosts as they were kept, started as after a power cut, and `before`; `site` gets what was kept of it."""
        shutil.copytree(self.folder / "site", site)
        before = json.loads((self.folder / "before.json").read_text(encoding="utf-8"))
        with running_hosts(self._kept, self.addresses, self.name, self.key) as hosts:
            yield hosts, [set(paths) for paths in before]

    def keep(self, hosts: Sequence[Host], site: Path, before: Sequence[set[str]]) -> None:
        """Keep the hosts as they are, the deployment's files, and which files hosts have without it."""
        for host in hosts:
            docker("commit", "--change", f"LABEL {LABEL}={self.name}", host.container, self._kept[host.name])
        shutil.rmtree(self.folder / "site", ignore_errors=True)
        shutil.copytree(site, self.folder / "site")
        (self.folder / "before.json").write_text(json.dumps([sorted(paths) for paths in before]), encoding="utf-8")

    def wheel(self) -> Path:
        """A folder with app-server's own wheel."""
        folder = self.folder / "wheel"
        if not list(folder.glob("*.whl")):
            words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
            subprocess.run([*words, "--wheel-dir", folder, ROOT], check=True)
        return folder


@contextmanager
def claimed_place(names: Sequence[str], suite: str) -> Iterator[Place]:
    """A place for hosts of these names, which no other run has meanwhile."""
    kind = "-".join(("app-server-test", *names))
    tree = _digest(build_image(suite))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number in itertools.count():
        name = f"{kind}-{tree}-{number}"
        with (FOLDER / f"{name}.lock").open("w", encoding="ascii") as lock:
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _drop_others(kind, tree)
                yield _furnished(name, names, suite)
                return


def _furnished(name: str, names: Sequence[str], suite: str) -> Place:
    """The place with its network and key, made if they are not there."""
    (FOLDER / name).mkdir(exist_ok=True)
    network = ipaddress.ip_network(_subnet(name) or _new_network(name))
    place = Place(name, names, suite, {host: str(network[2 + index]) for index, host in enumerate(names)})
    if not place.key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place.key], check=True)
    return place


def _subnet(network: str) -> str:
    where = "{{(index .IPAM.Config 0).Subnet}}"
    return docker("network", "inspect", "--format", where, network, check=False)


def _new_network(name: str) -> str:
    """Make a network of the first addresses that no other has; which those are."""
    for number in range(256):
        subnet = f"10.213.{number}.0/28"
        if docker("network", "create", "--subnet", subnet, "--label", f"{LABEL}={name}", name, check=False):
            return subnet
    raise AssertionError("there are no addresses left for a network of hosts")


def _drop_others(kind: str, tree: str) -> None:
    """Take away the places of earlier trees, unless someone is there."""
    for name in [path.name for path in FOLDER.glob(f"{kind}-*") if path.is_dir()]:
        if not name.startswith(f"{kind}-{tree}-"):
            # The lock stays: who has it open would have another than who comes next.
            with (FOLDER / f"{name}.lock").open("w", encoding="ascii") as lock, suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                of_it = ("--filter", f"label={LABEL}={name}")
                if images := docker("images", "--quiet", *of_it).split():
                    docker("rmi", "--force", *images, check=False)
                docker("network", "rm", name, check=False)
                shutil.rmtree(FOLDER / name, ignore_errors=True)


def _is_there(image: str) -> bool:
    return docker("images", "--quiet", image) != ""


def _digest(base: str) -> str:
    """What tells this tree, and the base image of hosts, from others."""
    found = hashlib.sha256(docker("image", "inspect", "--format", "{{.Id}}", base).encode())
    described = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    tables = [described[name] for name in TABLES] + [described["tool"][name] for name in TOOLS]
    found.update(json.dumps(tables).encode())
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".pyc":
                found.update(f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:12]
