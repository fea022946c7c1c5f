"""Hosts of a test: network namespaces with a real sshd each, joined by cables that can be pulled.

Each host has a loopback of its own, its own users and its own /etc/ssh (`ip netns exec` lays the files of /etc/netns
over /etc for the commands that it runs). It takes root on Linux; the machine's own network, users and sshd are left
alone, and what a run that was killed has left behind is cleared away by the next one.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import combinations, count
from pathlib import Path
from typing import Any

from tests.support.waiting import patience

NETNS_ETC = Path("/etc/netns")
NETNS_RUN = Path("/run/netns")
SSHD = "/usr/sbin/sshd"
PREFIX = "appsrv"
PATIENCE_S = 10.0
POLL_INTERVAL_S = 0.01
CLONE_NEWNET = 0x40000000

SSHD_CONFIG = """\
Port 22
PidFile {folder}/sshd.pid
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys/%u
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
Include /etc/ssh/sshd_config.d/*.conf
"""

_numbers = count(1)


@dataclass
class Host:
    """One host. `user` is an ordinary user, whose `home` holds the key pair `id_ed25519`; root lives there too."""

    name: str
    namespace: str
    folder: Path
    user: str
    addresses: dict[str, str] = field(default_factory=dict)
    cables: dict[str, str] = field(default_factory=dict)
    sshd: subprocess.Popen[bytes] | None = None

    @property
    def etc(self) -> Path:
        """What stands over /etc for the commands of this host."""
        return NETNS_ETC / self.namespace

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.folder / "home"

    @property
    def public_key(self) -> str:
        """The user's public key, one line."""
        return (self.home / ".ssh" / "id_ed25519.pub").read_text().strip()

    def words(self, *command: str | Path, user: str | None = None) -> list[str]:
        """The command line that runs `command` on this host, as the ordinary user or as `user`."""
        name = user or self.user
        as_user = [] if name == "root" else ["setpriv", "--reuid", _uid(name), "--regid", _uid(name), "--clear-groups"]
        return ["ip", "netns", "exec", self.namespace, *as_user, *map(str, command)]

    def environment(self, user: str | None = None) -> dict[str, str]:
        """The environment of the user, without an agent of the user who runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SSH_")}
        # What the server keeps between starts is not made again for every run.
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        return {**kept, "HOME": str(self.home), "USER": user or self.user, "XDG_CACHE_HOME": cache}

    def run(self, *command: str | Path, user: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, whatever its status; stdout and stderr are text."""
        options = {
            "capture_output": True,
            "text": True,
            "timeout": patience(3 * PATIENCE_S),
            "stdin": subprocess.DEVNULL,
            **options,
        }
        return subprocess.run(self.words(*command, user=user), env=self.environment(user), check=False, **options)

    def start(self, *command: str | Path, user: str | None = None, **options: Any) -> subprocess.Popen[bytes]:
        """Start a command; who starts it ends it."""
        environment = {**self.environment(user), **options.pop("env", {})}
        return subprocess.Popen(
            self.words(*command, user=user),
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread opens inside belong to this host."""
        with entered(self.namespace):
            yield

    def authorize(self, line: str, user: str | None = None) -> None:
        """Let the owner of a key in, on the terms of this line of an authorized_keys file."""
        path = self.etc / "ssh" / "authorized_keys" / (user or self.user)
        path.parent.mkdir(exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def configure_sshd(self, name: str, text: str) -> None:
        """Lay this file into sshd_config.d, and start sshd again."""
        (self.etc / "ssh" / "sshd_config.d" / name).write_text(text)
        self.stop_sshd()
        self.start_sshd()

    def start_sshd(self) -> None:
        """Start sshd, and return when it listens on every address."""
        Path("/run/sshd").mkdir(exist_ok=True)
        with (self.folder / "sshd.log").open("ab") as log:
            # In the foreground, so its end is seen and its process id known.
            self.sshd = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, SSHD, "-D", "-e", "-f", "/etc/ssh/sshd_config"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait_for_port(22, "127.0.0.1")

    def stop_sshd(self) -> None:
        """Stop sshd; connections that stand go on, as they do on a real host."""
        if self.sshd is not None:
            self.sshd.terminate()
            self.sshd.wait()

    def log(self) -> str:
        """What sshd has said."""
        return (self.folder / "sshd.log").read_text(errors="replace")

    def connections(self) -> list[int]:
        """The process ids of sshd's living connections on this host."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                title = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                # The process that listens has such a title, too.
                if title.startswith(b"sshd: ") and b"[listener]" not in title:
                    if _same_network(int(entry.name), self.namespace):
                        found.append(int(entry.name))
        return found

    def cut(self) -> int:
        """End every connection of sshd here at once, as a crash would; how many processes that took."""
        found = self.connections()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
        return len(found)

    def pull_cable(self, other: Host) -> None:
        """From now on nothing arrives from the other host, nor there from here; no one is notified."""
        self._switch(other, "down")

    def plug_cable(self, other: Host) -> None:
        """Undo `pull_cable`."""
        self._switch(other, "up")

    def _switch(self, other: Host, state: str) -> None:
        _ip("-n", other.namespace, "link", "set", other.cables[self.name], state)

    def wait_for_port(self, port: int, address: str = "localhost", timeout_s: float = PATIENCE_S) -> None:
        """Return when someone listens there."""
        deadline = time.monotonic() + patience(timeout_s)
        with self.entered():
            while True:
                with suppress(OSError), socket.create_connection((address, port), timeout=1):
                    return
                assert time.monotonic() < deadline, f"nobody listens on port {port} of {self.name}\n{self.log()}"
                time.sleep(POLL_INTERVAL_S)

    def listens(self, port: int) -> bool:
        """Whether someone listens on this port of the loopback."""
        with self.entered(), socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Sockets that this thread opens inside belong to this network."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    here = os.open(NETNS_RUN / namespace, os.O_RDONLY)
    try:
        _enter(here)
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(here)
        os.close(home)


def why_not() -> str | None:
    """Why there can be no hosts here; None if there can."""
    if os.geteuid() != 0:
        return "networks of a test's own take root"
    for program, package in (("ip", "iproute2"), ("ssh", "openssh-client"), (SSHD, "openssh-server")):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt install {package})"
    done = subprocess.run(["unshare", "--net", "--mount", "true"], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"this root may not make networks: {done.stderr.strip()}"


@contextmanager
def hosts(*names: str) -> Iterator[tuple[Host, ...]]:
    """Hosts of these names, each joined to each other; the ordinary user of a host is called like it, with `-user`.

    A host reaches another one by its name, and knows its host key.
    """
    _clear_leftovers()
    run = f"{PREFIX}{os.getpid()}x{next(_numbers)}"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hosts-")))
        folder.chmod(0o755)
        made = []
        for number, name in enumerate(names):
            host = Host(name, f"{run}{chr(ord('a') + number)}", folder / name, f"{name}-user")
            stack.callback(_remove, host)
            _make(host)
            made.append(host)
        for number, (one, other) in enumerate(combinations(made, 2)):
            _join(one, other, number)
        for host in made:
            _introduce(host, made)
            host.start_sshd()
        yield tuple(made)


def _make(host: Host) -> None:
    _ip("netns", "add", host.namespace)
    _ip("-n", host.namespace, "link", "set", "lo", "up")
    host.home.mkdir(parents=True)
    ssh = host.etc / "ssh"
    for path in (ssh / "sshd_config.d", ssh / "authorized_keys"):
        _make_folder(path)
    users = {"root": (0, host.home), "sshd": (100, Path("/run/sshd")), "nobody": (65534, Path("/nonexistent"))}
    users |= {host.user: (int(_uid(host.user)), host.home), "tunnel": (int(_uid("tunnel")), Path("/nonexistent"))}
    shells = {name: "/usr/sbin/nologin" if name in ("sshd", "nobody") else "/bin/sh" for name in users}
    (host.etc / "passwd").write_text(
        "".join(f"{name}:x:{uid}:{uid}::{home}:{shells[name]}\n" for name, (uid, home) in users.items())
    )
    (host.etc / "group").write_text("".join(f"{name}:x:{uid}:\n" for name, (uid, _) in users.items()))
    # A star is no password; an exclamation mark would be a locked account, which sshd turns away.
    (host.etc / "shadow").write_text("".join(f"{name}:*:19000:0:99999:7:::\n" for name in users))
    (ssh / "sshd_config").write_text(SSHD_CONFIG.format(folder=host.folder))
    (ssh / "ssh_config").write_text("")
    _keygen(ssh / "ssh_host_ed25519_key", host.name)
    (host.home / ".ssh").mkdir(mode=0o700)
    _keygen(host.home / ".ssh" / "id_ed25519", f"{host.user}@{host.name}")
    for path in (host.home, *host.home.rglob("*")):
        os.chown(path, int(_uid(host.user)), int(_uid(host.user)))


def _make_folder(path: Path) -> None:
    """Make it and what it lies in, whatever empty folder of these another run takes away meanwhile."""
    while not path.is_dir():
        with suppress(FileNotFoundError):
            path.mkdir(parents=True, exist_ok=True)


def _join(one: Host, other: Host, number: int) -> None:
    """A cable between two hosts, with a small network of its own."""
    ends = (f"{one.namespace[len(PREFIX) :]}{number}a", f"{other.namespace[len(PREFIX) :]}{number}b")
    _ip("-n", one.namespace, "link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", other.namespace)
    for host, peer, end, last in ((one, other, ends[0], 1), (other, one, ends[1], 2)):
        _ip("-n", host.namespace, "address", "add", f"10.99.{number}.{last}/30", "dev", end)
        _ip("-n", host.namespace, "link", "set", end, "up")
        host.cables[peer.name] = end
        peer.addresses[host.name] = f"10.99.{number}.{last}"


def _introduce(host: Host, everybody: Sequence[Host]) -> None:
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"{address} {name}" for name, address in host.addresses.items())]
    (host.etc / "hosts").write_text("\n".join(lines) + "\n")
    keys = [
        f"{other.name} {(other.etc / 'ssh' / 'ssh_host_ed25519_key.pub').read_text().strip()}"
        for other in everybody
        if other is not host
    ]
    (host.etc / "ssh" / "ssh_known_hosts").write_text("\n".join(keys) + "\n")


def _keygen(path: Path, comment: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)


def _remove(host: Host) -> None:
    """End what still runs on a host, by process id, and take it away."""
    for pid in _inhabitants(host.namespace):
        with suppress(ProcessLookupError):
            os.kill(pid, 9)
    if host.sshd is not None:
        host.sshd.wait()
    subprocess.run(["ip", "netns", "delete", host.namespace], check=False, capture_output=True)
    shutil.rmtree(host.etc, ignore_errors=True)
    with suppress(OSError):
        # Only where it is empty, as we may have made it.
        NETNS_ETC.rmdir()


def _clear_leftovers() -> None:
    """Take away the hosts of runs that no longer live."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for namespace in [line.split()[0] for line in listed.splitlines() if line.startswith(PREFIX)]:
        pid = namespace.removeprefix(PREFIX).partition("x")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove(Host("", namespace, Path("/nonexistent"), "nobody"))


def _inhabitants(namespace: str) -> list[int]:
    found = subprocess.run(["ip", "netns", "pids", namespace], check=False, capture_output=True, text=True).stdout
    return [int(word) for word in found.split()]


def _same_network(pid: int, namespace: str) -> bool:
    return os.stat(f"/proc/{pid}/ns/net").st_ino == (NETNS_RUN / namespace).stat().st_ino


def _enter(descriptor: int) -> None:
    # os.setns is there from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _uid(user: str) -> str:
    """A number that no user of a usual machine has."""
    return {"root": "0", "tunnel": "61000"}.get(user, "61001")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
