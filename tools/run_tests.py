"""Run pytest over all tests, after checking what they need from the machine.

As root on Debian, this installs missing packages. Elsewhere, it prints which are missing and which tests are skipped
for that; if CI is true, a missing one is a failure instead. Further arguments go to pytest.

There are more workers than cores, because most tests wait for other programs (`-n 0` is none). Without arguments, it
measures which lines of `app_server` have run, including subprocesses and forks, and `coverage_floors.py` checks that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Need:
    """A program that tests start: how to find it, its Debian package, and the tests that need it."""

    name: str
    find: Callable[[], str | None]
    debian_package: str
    tests: str
    variable: str
    # Installs the program if there is no such package; None if the package is enough.
    install: Callable[[], None] | None = None


def find_chromium() -> str | None:
    """The path of Chromium, from the system or from `playwright install chromium`."""
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    for path in sorted(folder.glob("chromium-*/chrome-linux*/chrome"), reverse=True):
        return str(path)
    return None


def find_in_system(*names: str) -> Callable[[], str | None]:
    """A function that finds the first of these programs, even if its folder is only in root's PATH."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return lambda: next(filter(None, (shutil.which(name, path=path) for name in names)), None)


UNSHARE_ROOT = [] if os.geteuid() == 0 else ["--map-root-user"]


def find_unshare() -> str | None:
    """unshare, if this user may mount file systems in a namespace of its own."""
    found = shutil.which("unshare")
    tried = [*UNSHARE_ROOT, "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    allowed = found is not None and subprocess.call([found, *tried], stderr=subprocess.DEVNULL) == 0
    return found if allowed else None


def find_sshd() -> str | None:
    """sshd, if we may create networks for it: that takes root, with more rights than a container has by default."""
    may = os.geteuid() == 0 and shutil.which("unshare") is not None
    may = may and subprocess.call(["unshare", "--net", "--mount", "true"], stderr=subprocess.DEVNULL) == 0
    return find_in_system("sshd")() if may else None


def find_dockerd() -> str | None:
    """An engine to start several of, if root may create networks and the kernel can connect containers across them."""
    words = ["unshare", "--net", "ip", "link", "add", "name", "x", "type", "vxlan", "id", "1", "dstport", "4789"]
    may = os.geteuid() == 0 and find_in_system("ip")() is not None and shutil.which("unshare") is not None
    may = may and subprocess.call(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    return find_in_system("dockerd")() if may else None


def find_kubectl() -> str | None:
    """kubectl, if its kustomize knows components: that of Debian 12 does not."""
    found = shutil.which("kubectl")
    if found is None:
        return None
    said = subprocess.run([found, "version", "--client"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v(\d+)\.(\d+)", said)
    return found if version and (int(version[1]), int(version[2])) >= (1, 21) else None


def find_engine() -> str | None:
    """The client of a container engine that is new enough, and answers or only needs to be started."""
    found = subprocess.run([*ENGINE, "find"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def install_engine() -> None:
    """Install an engine from a release that has a new enough one."""
    subprocess.call([*ENGINE, "install"])


ENGINE = (sys.executable, str(ROOT / "tools" / "engine.py"))
NEEDS = (
    Need("Chromium", find_chromium, "chromium", "tests/browser", "APP_SERVER_TEST_CHROMIUM"),
    Need(
        "Node.js", find_in_system("nodejs", "node"), "nodejs", "tests/peers/test_extension.py", "APP_SERVER_TEST_NODEJS"
    ),
    Need("nginx", find_in_system("nginx"), "nginx", "tests/proxy", "APP_SERVER_TEST_NGINX"),
    Need("Apache", find_in_system("apache2", "httpd"), "apache2", "tests/proxy", "APP_SERVER_TEST_APACHE"),
    Need("nginx", find_in_system("nginx"), "nginx", "tests/browser/test_proxied.py", "APP_SERVER_TEST_NGINX"),
    Need(
        "Apache",
        find_in_system("apache2", "httpd"),
        "apache2",
        "tests/browser/test_proxied.py",
        "APP_SERVER_TEST_APACHE",
    ),
    Need("Pebble", find_in_system("pebble"), "pebble", "tests/proxy/test_acme.py", "APP_SERVER_TEST_PEBBLE"),
    Need(
        "unshare with mount namespaces",
        find_unshare,
        "util-linux",
        "tests/protocol/processes/test_full_run_folder.py",
        "APP_SERVER_TEST_UNSHARE",
    ),
    Need(
        "unshare with mount namespaces",
        find_unshare,
        "util-linux",
        "tests/unit/store/test_full_folder.py",
        "APP_SERVER_TEST_UNSHARE",
    ),
    Need("sshd (as root)", find_sshd, "openssh-server", "tests/tunnel", "APP_SERVER_TEST_SSHD"),
    Need("ssh", find_in_system("ssh"), "openssh-client", "tests/tunnel", "APP_SERVER_TEST_SSH"),
    Need("ip", find_in_system("ip"), "iproute2", "tests/tunnel", "APP_SERVER_TEST_IP"),
    Need("sshd", find_in_system("sshd"), "openssh-server", "tests/services", "APP_SERVER_TEST_SSHD"),
    Need("systemd-analyze", find_in_system("systemd-analyze"), "systemd", "tests/services", "APP_SERVER_TEST_SYSTEMD"),
    Need("Prometheus", find_in_system("prometheus"), "prometheus", "tests/services", "APP_SERVER_TEST_PROMETHEUS"),
    Need("logrotate", find_in_system("logrotate"), "logrotate", "tests/services", "APP_SERVER_TEST_LOGROTATE"),
    Need(
        "Redis",
        find_in_system("redis-server", "valkey-server"),
        "redis-server",
        "tests/unit/store/test_redis.py",
        "APP_SERVER_TEST_REDIS",
    ),
    Need(
        "kubectl",
        find_kubectl,
        "kubernetes-client",
        "tests/unit/deployment/render/kubernetes/test_kubectl.py",
        "APP_SERVER_TEST_KUBECTL",
    ),
    Need("bash", find_in_system("bash"), "bash", "tests/shells", "APP_SERVER_TEST_BASH"),
    Need("zsh", find_in_system("zsh"), "zsh", "tests/shells", "APP_SERVER_TEST_ZSH"),
    Need("fish", find_in_system("fish"), "fish", "tests/shells", "APP_SERVER_TEST_FISH"),
    Need("A container engine", find_engine, "docker.io", "tests/container", "APP_SERVER_TEST_DOCKER", install_engine),
    Need(
        "docker-registry",
        find_in_system("docker-registry"),
        "docker-registry",
        "tests/container/test_registry.py",
        "APP_SERVER_TEST_REGISTRY",
    ),
    Need("sshd", find_in_system("sshd"), "openssh-server", "tests/container/test_registry.py", "APP_SERVER_TEST_SSHD"),
    Need("Pebble", find_in_system("pebble"), "pebble", "tests/container/test_certbot.py", "APP_SERVER_TEST_PEBBLE"),
    Need("ip", find_in_system("ip"), "iproute2", "tests/container/test_swarm.py", "APP_SERVER_TEST_IP"),
    Need(
        "dockerd (as root)",
        find_dockerd,
        "docker.io",
        "tests/container/test_swarm.py",
        "APP_SERVER_TEST_DOCKERD",
        install_engine,
    ),
    Need("A container engine", find_engine, "docker.io", "tests/ansible", "APP_SERVER_TEST_DOCKER", install_engine),
    Need("ssh", find_in_system("ssh"), "openssh-client", "tests/ansible", "APP_SERVER_TEST_SSH"),
    Need("ip", find_in_system("ip"), "iproute2", "tests/ansible", "APP_SERVER_TEST_IP"),
)
FLOORS = ROOT / "tools" / "coverage_floors.py"
SLOWEST = 30
# There are not many more groups of slow tests.
MOST_WORKERS = 12
POLICY = Path("/usr/sbin/policy-rc.d")


@cache
def path_from(find: Callable[[], str | None]) -> str | None:
    """The path that a need's function finds; some of these functions take a second."""
    return find()


def main(argv: Sequence[str]) -> int:
    """The exit status of pytest, or 1 if CI is true and something is missing."""
    missing = [need for need in NEEDS if path_from(need.find) is None]
    if missing and may_install():
        install([need.debian_package for need in missing if need.install is None])
        # Once, however many tests need the same.
        for bring in dict.fromkeys(need.install for need in missing if need.install is not None):
            bring()
        path_from.cache_clear()
        missing = [need for need in missing if path_from(need.find) is None]
    for need in missing:
        hint = f"Install it (on Debian: apt-get install {need.debian_package})."
        print(f"{need.name} is missing, so {need.tests} cannot run. {hint}", file=sys.stderr)
    if missing and os.environ.get("CI", "").lower() == "true":
        print("With CI=true no test may be skipped.", file=sys.stderr)
        return 1
    for need in NEEDS:
        if path := path_from(need.find):
            os.environ.setdefault(need.variable, path)
    skipped = sorted({f"--ignore={need.tests}" for need in missing})
    sys.stdout.flush()
    # The floors are for the whole suite, so they do not apply if tests are skipped.
    return run([*skipped, *argv], measured=not argv and not missing)


def run(words: Sequence[str], *, measured: bool) -> int:
    """The exit status of pytest with these arguments, then of coverage if it is measured."""
    # Some hundred processes import the same modules; each module is compiled once for all of them.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    spread = ["-n", str(workers(os.cpu_count() or 1, words)), f"--durations={SLOWEST}"]
    # It contains Unix sockets, whose paths are limited to 107 bytes, and pytest's own names are long.
    with tempfile.TemporaryDirectory(prefix="t-", ignore_cleanup_errors=True) as folder:
        pytest = ["-m", "pytest", *spread, f"--basetemp={folder}/t", *words]
        if not measured:
            # Its own process, so the last lines are pytest's and its status is ours.
            return subprocess.call([sys.executable, *pytest], cwd=ROOT)
        subprocess.call([sys.executable, "-m", "coverage", "erase"], cwd=ROOT)
        failed = subprocess.call([sys.executable, "-m", "coverage", "run", *pytest], cwd=ROOT)
    return subprocess.call([sys.executable, str(FLOORS)], cwd=ROOT) or failed


def workers(cores: int, words: Sequence[str]) -> int:
    """How many tests run at a time on so many cores: some more where none of them keeps a browser or hosts busy."""
    paths = [word for word in words if word.startswith("tests/")]
    small = paths and all(word.split("/")[1] in ("unit", "protocol") for word in paths)
    return min((3 if small else 2) * cores, MOST_WORKERS)


def may_install() -> bool:
    """Whether this is root on Debian or a derivative."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Sequence[str]) -> None:
    """Install Debian packages. If that fails, they are still missing, and are reported as such."""
    if not packages:
        return
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing {', '.join(packages)} with apt-get ...", flush=True)
    subprocess.call(["apt-get", "update", "-qq"], env=environ)
    with services_left_alone():
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=environ)


@contextmanager
def services_left_alone() -> Iterator[None]:
    """Keep Debian from starting what it installs, because the tests start their own programs on their own ports.

    101 is "action forbidden by policy" (invoke-rc.d). If the machine already has a policy, that one applies.
    """
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
