"""Real nginx and Apache in front of servers under test: as an ordinary user, on free ports, in a folder of their own.

    with proxy_folder() as folder, running_nginx(folder, f"server {{ listen 127.0.0.1:{port}; … }}", port) as proxy:
        ...

What a proxy reads (certificates, static files) is put into its folder before it starts: where root runs the tests the
proxies run as nobody, who can read nothing else of ours. Relative paths in a configuration begin at the folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import POLL_INTERVAL_S, START_DEADLINE_S, stop

STATE = "state"
"""The folder's folder for what servers write."""

APACHE_MODULES = (
    "mpm_event authz_core headers rewrite alias dir mime deflate filter setenvif proxy proxy_http proxy_wstunnel "
    "proxy_balancer lbmethod_bybusyness lbmethod_byrequests slotmem_shm socache_shmcb ssl http2 substitute"
).split()
_MODULE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules")
_MIME_TYPES = "/etc/mime.types"
_SYSTEM_FOLDERS = os.pathsep.join(("/usr/sbin", "/usr/local/sbin"))


@dataclass(frozen=True)
class RunningProxy:
    """A proxy that takes connections."""

    folder: Path
    process: subprocess.Popen[bytes]
    reload_signal: signal.Signals

    def log_text(self) -> str:
        """What it has complained about so far."""
        logs = [self.folder / "output.log", *sorted(self.folder.glob("error*.log"))]
        return "".join(log.read_text(encoding="utf-8", errors="replace") for log in logs if log.exists())

    def reload(self) -> None:
        """Have it read its configuration again; the old one serves until the new one is there."""
        self.process.send_signal(self.reload_signal)


def nginx_program() -> str:
    """The path of nginx. Raises AssertionError where there is none; `make test` installs it."""
    return _program("nginx", "APP_SERVER_TEST_NGINX", "nginx")


def apache_program() -> str:
    """The path of Apache. Raises AssertionError where there is none; `make test` installs it."""
    return _program("Apache", "APP_SERVER_TEST_APACHE", "apache2", "httpd")


def _program(title: str, variable: str, *names: str) -> str:
    found = os.environ.get(variable) or next(filter(None, (shutil.which(name) for name in names)), None)
    found = found or next(filter(None, (shutil.which(name, path=_SYSTEM_FOLDERS) for name in names)), None)
    assert found is not None, f"{title} is not installed: `make test` does that for root on Debian"
    return found


@contextmanager
def proxy_folder() -> Iterator[Path]:
    """An empty folder that the proxies can reach, gone at the end; pytest's own is closed to other users."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as name:
        yield Path(name)


def nginx_configuration(http: str) -> str:
    """A whole nginx.conf around what is in its `http` block."""
    temporary = "\n".join(
        f"    {kind}_temp_path {kind}_temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        "daemon off;\nworker_processes 1;\npid nginx.pid;\nerror_log error.log info;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{\n    access_log off;\n{temporary}\n{http}\n}}\n"
    )


def apache_configuration(site: str, modules: Sequence[str] = APACHE_MODULES) -> str:
    """A whole configuration of Apache around what a site adds to it, `Listen` included."""
    found = next((folder for folder in _MODULE_FOLDERS if Path(folder).is_dir()), _MODULE_FOLDERS[0])
    # Some of them are built into the program, here or there.
    loaded = "".join(
        f"LoadModule {name}_module {found}/mod_{name}.so\n"
        for name in modules
        if Path(found, f"mod_{name}.so").exists()
    )
    return (
        f"{loaded}TypesConfig {_MIME_TYPES if Path(_MIME_TYPES).exists() else os.devnull}\n"
        "ServerName localhost\nPidFile apache.pid\nDefaultRuntimeDir .\nMutex file:. default\n"
        "ErrorLog error.log\nLogLevel warn\nServerLimit 2\nStartServers 1\nThreadsPerChild 64\nMaxRequestWorkers 128\n"
        f"{site}\n"
    )


@contextmanager
def running_nginx(folder: Path, http: str, *ports: int) -> Iterator[RunningProxy]:
    """nginx with this `http` block, from when it listens on all of the ports."""
    (folder / "nginx.conf").write_text(nginx_configuration(http), encoding="utf-8")
    with running_nginx_file(folder, folder / "nginx.conf", *ports) as proxy:
        yield proxy


@contextmanager
def running_nginx_file(folder: Path, configuration: Path, *ports: int) -> Iterator[RunningProxy]:
    """nginx with this whole configuration, which has to say `daemon off`."""
    command = [nginx_program(), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    with _running(command, folder, ports, signal.SIGHUP) as proxy:
        yield proxy


@contextmanager
def running_apache(folder: Path, site: str, *ports: int) -> Iterator[RunningProxy]:
    """Apache with this site, from when it listens on all of the ports."""
    (folder / "apache.conf").write_text(apache_configuration(site), encoding="utf-8")
    with running_apache_file(folder, folder / "apache.conf", *ports) as proxy:
        yield proxy


@contextmanager
def running_apache_file(folder: Path, configuration: Path, *ports: int) -> Iterator[RunningProxy]:
    """Apache with this whole configuration."""
    command = [apache_program(), "-d", str(folder), "-f", str(configuration), "-DFOREGROUND"]
    with _running(command, folder, ports, signal.SIGUSR1) as proxy:
        yield proxy
        # Asked to end, it looks after its children once a second; all that it keeps lies in the folder.
        with suppress(ProcessLookupError):
            os.killpg(proxy.process.pid, signal.SIGKILL)


@contextmanager
def _running(
    command: list[str], folder: Path, ports: Sequence[int], reload_signal: signal.Signals
) -> Iterator[RunningProxy]:
    user = _hand_over(folder)
    with (folder / "output.log").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            user=user and user.pw_uid, group=user and user.pw_gid, extra_groups=[] if user else None,
            start_new_session=True,
        )  # fmt: skip
    proxy = RunningProxy(folder, process, reload_signal)
    try:
        for port in ports:
            _wait_until_it_listens(proxy, port)
        yield proxy
    finally:
        stop(process)


def _hand_over(folder: Path) -> pwd.struct_passwd | None:
    """Give the folder and what is in it to the user who runs the proxies; None if that user runs the tests.

    What the servers keep in it, as `STATE`, stays theirs: they may be making it at this moment.
    """
    if os.geteuid() != 0:
        return None
    user = pwd.getpwnam("nobody")
    for path in (folder, *folder.rglob("*")):
        if STATE not in path.relative_to(folder).parts:
            os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return user


def _wait_until_it_listens(proxy: RunningProxy, port: int) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        if proxy.process.poll() is not None:
            raise AssertionError(f"the proxy ended with {proxy.process.returncode}:\n{proxy.log_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise AssertionError(f"nobody listens on {port}:\n{proxy.log_text()}") from None
            time.sleep(POLL_INTERVAL_S)
        else:
            return
