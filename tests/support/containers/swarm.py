"""A swarm of several engines on one machine: each in a network of its own, which one cable joins to the others.

It takes root on Linux. The machine's own network and engine are left alone: people who visit the swarm do so from a
network of their own (`visiting`). What a run that was killed has left behind is cleared away by the next one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.containers.engine import docker
from tests.support.hosts.namespaces import entered
from tests.support.waiting import until
from tools import engine

PREFIX = "appswm"
FOLDER = engine.FOLDER / "swarm"
SIZE = "2g"
COMMAND_DEADLINE_S = 120.0
NETNS_RUN = Path("/run/netns")
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Node:
    """One engine: what it is called in the swarm, its network and address, and where all that it has is kept."""

    name: str
    namespace: str
    address: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def socket(self) -> str:
        """Where the engine listens."""
        return f"unix://{self.folder}/socket"

    def docker(self, *words: str | Path, check: bool = True, text: str = "") -> str:
        """What `docker WORDS` prints, asked of this node."""
        return docker("--host", self.socket, *words, check=check, text=text, timeout_s=COMMAND_DEADLINE_S)

    def answers(self) -> bool:
        """Whether the engine is there; AssertionError with what it said where it has ended."""
        assert self.process.poll() is None, (self.folder / "log").read_text(errors="replace")[-2000:]
        return bool(self.docker("version", "--format", "{{.Server.Version}}", check=False))

    def lose(self, hub: str) -> None:
        """Take the node away as a cut cable and a power failure do: no one is notified, and nothing of it goes on."""
        _ip("-n", hub, "link", "set", _cable(self), "down")
        self.process.kill()
        self.process.wait()
        _kill_containers(self.namespace, self.folder)


@dataclass(frozen=True)
class Swarm:
    """The nodes, all of them managers, and the network `hub` that joins them."""

    nodes: tuple[Node, ...]
    hub: str

    @property
    def manager(self) -> Node:
        """The node that commands are given to."""
        return self.nodes[0]

    def docker(self, *words: str | Path, check: bool = True, text: str = "") -> str:
        """What `docker WORDS` prints on the manager."""
        return self.manager.docker(*words, check=check, text=text)

    @contextmanager
    def visiting(self) -> Iterator[None]:
        """Sockets that this thread opens inside reach the nodes by their addresses."""
        with entered(self.hub):
            yield


@contextmanager
def running_swarm(images: Sequence[str], names: Sequence[str] = ("one", "two", "three")) -> Iterator[Swarm]:
    """Engines that are one swarm and have these images of the machine's own engine; nothing of it remains."""
    _clear_leftovers()
    run = f"{PREFIX}{os.getpid()}"
    hub = f"{run}h"
    folder = FOLDER / run
    with ThreadPoolExecutor() as together, ExitStack() as stack:
        stack.callback(_remove, run)
        folder.mkdir(parents=True)
        # In memory: images are unpacked and thrown away in no time, and no other test waits for the disk.
        _run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder))
        archive = folder / "images.tar"
        saved = together.submit(docker, "save", "--output", archive, *images)
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "set", "lo", "up")
        _ip("-n", hub, "link", "add", "hub", "type", "bridge")
        _ip("-n", hub, "address", "add", "198.51.100.254/24", "dev", "hub")
        _ip("-n", hub, "link", "set", "hub", "up")
        places = [_place(run, hub, folder, number) for number, _ in enumerate(names, 1)]
        _take_in(places, names[0], archive, saved)
        nodes = tuple(_started(place, name) for place, name in zip(places, names, strict=True))
        for node in nodes:
            until(node.answers, f"the engine of {node.name} answers", 60)
        first, *others = nodes
        # A node that says nothing for 6 to 9 s is lost; it would be 15 s and more.
        first.docker("swarm", "init", "--advertise-addr", first.address, "--dispatcher-heartbeat", "2s")
        token = first.docker("swarm", "join-token", "--quiet", "manager")
        for node in others:
            node.docker("swarm", "join", "--advertise-addr", node.address, "--token", token, f"{first.address}:2377")
        swarm = Swarm(nodes, hub)
        # What is deployed before would be put on those that are there.
        ready = ["Ready"] * len(nodes)
        listed = ("node", "ls", "--format", "{{.Status}}")
        until(lambda: first.docker(*listed).split() == ready, "all nodes are ready", 60)
        stack.callback(_leave, together, nodes)
        yield swarm


@dataclass(frozen=True)
class Place:
    """Where an engine can run: a network with its address, and a folder."""

    namespace: str
    address: str
    folder: Path


def _place(run: str, hub: str, folder: Path, number: int) -> Place:
    place = Place(f"{run}{chr(ord('a') + number - 1)}", f"198.51.100.{number}", folder / f"node{number}")
    place.folder.mkdir()
    cable = _cable(place)
    _ip("netns", "add", place.namespace)
    _ip("-n", place.namespace, "link", "set", "lo", "up")
    _ip("-n", place.namespace, "link", "add", "eth0", "type", "veth", "peer", "name", cable, "netns", hub)
    _ip("-n", hub, "link", "set", cable, "master", "hub", "up")
    _ip("-n", place.namespace, "address", "add", f"{place.address}/24", "dev", "eth0")
    _ip("-n", place.namespace, "link", "set", "eth0", "up")
    return place


def _take_in(places: Sequence[Place], name: str, archive: Path, saved: Future[str]) -> None:
    """Bring the images to all places: one engine unpacks them, the others have the same files."""
    first, *others = places
    node = _started(first, name)
    until(node.answers, f"the engine of {name} answers", 60)
    saved.result()
    node.docker("load", "--quiet", "--input", archive)
    archive.unlink()
    node.process.terminate()
    node.process.wait(60)
    for place in others:
        data = place.folder / "data"
        data.mkdir()
        # What an engine notes of images it writes again; layers are never written to.
        shutil.copytree(first.folder / "data/image", data / "image")
        subprocess.run(["cp", "-al", first.folder / "data/overlay2", data / "overlay2"], check=True)


def _started(place: Place, name: str) -> Node:
    """An engine that begins to run, in a network of its own."""
    home = place.folder
    words = [
        # Not `ip netns exec`, which lays another /sys over the machine's, so there would be no cgroups.
        *("nsenter", f"--net={NETNS_RUN / place.namespace}", "unshare", "--uts", "sh", "-c"),
        *('hostname "$0" && exec "$@"', name, "dockerd", "--host", f"unix://{home}/socket"),
        *("--pidfile", str(home / "pid"), "--data-root", str(home / "data"), "--exec-root", str(home / "exec")),
        *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{place.namespace}"),
        # What `security_opt` says elsewhere is an engine's own setting in a swarm.
        "--no-new-privileges",
    ]
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    return Node(name, place.namespace, place.address, home, process)


def _cable(node: Node | Place) -> str:
    """The name of the node's end at the hub."""
    return f"to-{node.namespace[-1]}"


def _leave(together: ThreadPoolExecutor, nodes: Sequence[Node]) -> None:
    """Have the engines that are still there end their containers, and end."""

    def leave(node: Node) -> None:
        node.docker("swarm", "leave", "--force", check=False)
        node.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            node.process.wait(30)

    list(together.map(leave, [node for node in nodes if node.process.poll() is None]))


def _remove(run: str) -> None:
    """End what is left of a run by process id, and take away its mounts, cgroups, networks and files."""
    folder = FOLDER / run
    for pidfile in folder.glob("*/pid"):
        with suppress(OSError, ValueError):
            pid = int(pidfile.read_text(encoding="ascii"))
            if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
    namespaces = [name for name in _namespaces() if name[:-1] == run]
    for name in namespaces:
        _kill_containers(name, folder)
        # What is still there in the engine's own network, such as its containerd.
        listed = subprocess.run(["ip", "netns", "pids", name], check=False, capture_output=True, text=True).stdout
        _kill(map(int, listed.split()))
    until(lambda: not _of_folder(folder), f"nothing of {folder} runs", 30)
    mounts = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    for mount in reversed([mount for mount in mounts if mount.is_relative_to(folder)]):
        subprocess.run(["umount", "--lazy", str(mount)], check=False, capture_output=True)
    for name in namespaces:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        for group in _cgroups(name):
            for path in sorted(group.rglob("*/"), key=lambda path: len(path.parts), reverse=True):
                with suppress(OSError):
                    path.rmdir()
            with suppress(OSError):
                group.rmdir()
    shutil.rmtree(folder, ignore_errors=True)


def _kill_containers(namespace: str, folder: Path) -> None:
    """End every process of an engine's containers at once, and those that hold them."""
    for group in _cgroups(namespace):
        for path in group.rglob("cgroup.procs"):
            with suppress(OSError):
                _kill(map(int, path.read_text(encoding="ascii").split()))
    _kill(_of_folder(folder))


def _of_folder(folder: Path) -> list[int]:
    """The processes whose command names something in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def _kill(pids: Iterator[int] | Sequence[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _cgroups(namespace: str) -> list[Path]:
    """The folders of an engine's containers: one with cgroups of version 2, several with version 1."""
    return [path for path in (CGROUPS / namespace, *CGROUPS.glob(f"*/{namespace}")) if path.is_dir()]


def _namespaces() -> list[str]:
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in listed.splitlines() if line]


def _clear_leftovers() -> None:
    """Take away the swarms of runs that no longer live."""
    runs = {name[:-1] for name in _namespaces() if name.startswith(PREFIX)}
    runs |= {path.name for path in FOLDER.glob(f"{PREFIX}*")}
    for run in runs:
        pid = run.removeprefix(PREFIX)
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove(run)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
