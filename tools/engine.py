"""Start a container engine for tests on a machine that has none, and provide the base image of our Dockerfiles.

    python tools/engine.py up             install and start an engine, unless one answers already
    python tools/engine.py base [SUITE]   debian:SUITE-slim, pulled, or built from Debian's packages without a registry
    python tools/engine.py down           stop the engine that `up` has started, and no other
    python tools/engine.py find           print the path of a usable engine's client, if there is one
    python tools/engine.py install        install an engine, and start nothing

Installing needs root on Debian. The files, including the build cache, stay in /var/tmp, so the next
run is quick.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(os.environ.get("APP_SERVER_ENGINE_DIR", "/var/tmp/app-server-engine"))
# 23 builds with BuildKit by itself; 25 knows start_interval of health checks, which compose.yaml uses.
OLDEST_ENGINE = 25
# The engine of Debian 12 is 20.10, so only the engine comes from the next release.
SUITE = "trixie"
PACKAGES = ("docker.io", "docker-cli", "containerd", "docker-buildx", "docker-compose")
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 60.0
# Other programs install packages too.
APT_OPTIONS = ("-qq", "-o", "DPkg::Lock::Timeout=600")

# As Debian's own images are made: without documentation, package lists and archives.
SLIM = (
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
)
_SWEEP = "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin"
APT_CONFIGURATION = (
    f'DPkg::Post-Invoke {{ "{_SWEEP}"; }};\n'
    f'APT::Update::Post-Invoke {{ "{_SWEEP}"; }};\n'
    'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
    'Acquire::Languages "none";\n'
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class EngineMissing(Exception):
    """Says in one sentence why there is no usable engine."""


def main(argv: Sequence[str]) -> int:
    """The exit status of the command."""
    try:
        match argv:
            case ["up"]:
                up()
                print(f"engine {engine_version()} answers")
            case ["base"] | ["base", _]:
                print(base_image(argv[1] if len(argv) > 1 else SUITE))
            case ["down"]:
                print("stopped" if down() else "this program has started no engine")
            case ["find"]:
                print(find())
            case ["install"]:
                install()
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except EngineMissing as error:
        print(f"engine: {error}", file=sys.stderr)
        return 1
    return 0


def find() -> str:
    """The path of `docker` if an engine answers or only needs to be started; otherwise EngineMissing."""
    if (version := engine_version()) is not None:
        _refuse_old(version)
        _require_plugins()
    elif not (_installed() and os.geteuid() == 0):
        raise EngineMissing("no container engine answers; install and start Docker, then try again")
    return shutil.which("docker") or "docker"


def up() -> bool:
    """Make an engine answer; return whether this call has started it. Raises EngineMissing if there is none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with _locked("lock"):
        if (version := engine_version()) is not None:
            _refuse_old(version)
            _require_plugins()
            return False
        if not _installed():
            if os.geteuid() != 0 or shutil.which("apt-get") is None:
                raise EngineMissing("no container engine answers; install and start Docker, then try again")
            install()
        return _start()


def down() -> bool:
    """Stop the engine that `up` started, with its containers; return whether there was one."""
    try:
        pid = int((FOLDER / "pid").read_text(encoding="ascii"))
        os.kill(pid, signal.SIGTERM)
    except (OSError, ValueError):
        return False
    deadline = time.monotonic() + STOP_DEADLINE_S
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    return True


def engine_version() -> str | None:
    """The version of the engine that answers, or None."""
    found = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True, check=False
    ) if shutil.which("docker") else None  # fmt: skip
    return found.stdout.strip() if found and found.returncode == 0 else None


def base_image(suite: str = SUITE) -> str:
    """Provide an image of Debian, and return its name: it is present already, pulled, or built from packages."""
    name = f"debian:{suite}-slim"
    with _locked(f"base-{suite}"):
        if _quiet("docker", "image", "inspect", name) or _quiet("docker", "pull", "--quiet", name, timeout_s=30):
            return name
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise EngineMissing(f"{name} can be neither pulled nor built here; `docker load` it, then try again")
        if shutil.which("mmdebstrap") is None:
            _apt_get("update")
            _apt_get("install", "-y", "--no-install-recommends", "mmdebstrap")
        with tempfile.TemporaryDirectory(prefix="base-image-", dir="/var/tmp") as folder:
            _make_base_image(name, suite, Path(folder))
    return name


def _make_base_image(name: str, suite: str, folder: Path) -> None:
    """Import a suite that mmdebstrap builds, with the authorities that this machine trusts besides Debian's."""
    (folder / "docker-clean").write_text(APT_CONFIGURATION, encoding="utf-8")
    (folder / "host.crt").write_text(_own_authorities(), encoding="ascii")
    certificates = '"$1/usr/local/share/ca-certificates'
    hooks = [
        f'mkdir -p {certificates}" && [ ! -s {folder}/host.crt ] || cp {folder}/host.crt {certificates}/"',
        'chroot "$1" update-ca-certificates >/dev/null',
        f'cp {folder}/docker-clean "$1/etc/apt/apt.conf.d/"',
        'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin',
    ]
    _run(
        *("mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"),
        *(f"--dpkgopt={line}" for line in SLIM),
        *(f"--customize-hook={hook}" for hook in hooks),
        *(suite, str(folder / "base.tar"), _mirror()),
    )
    _run("docker", "import", "--change", 'CMD ["bash"]', str(folder / "base.tar"), name)


def _own_authorities() -> str:
    """The certificates that this machine trusts besides those of its distribution, such as a company's."""

    def read(path: Path) -> list[str]:
        return _CERTIFICATE.findall(path.read_text(encoding="utf-8", errors="replace"))

    brought = {"".join(pem.split()) for path in Path("/usr/share/ca-certificates").rglob("*.crt") for pem in read(path)}
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    own = [pem for pem in read(bundle) if "".join(pem.split()) not in brought] if bundle.exists() else []
    return "\n".join([*own, ""])


def _mirror() -> str:
    """The address of the first Debian archive that apt knows of."""
    folder = Path("/etc/apt")
    for path in [*folder.glob("sources.list.d/debian.sources"), *folder.glob("sources.list")]:
        if found := re.search(r"^(?:URIs:|deb(?: \[[^]]*\])?) +(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            return found[1]
    raise EngineMissing("there is no Debian archive in /etc/apt/sources.list or debian.sources")


def _refuse_old(version: str) -> None:
    if int(version.partition(".")[0]) < OLDEST_ENGINE:
        raise EngineMissing(f"the engine is {version}; {OLDEST_ENGINE} or newer is needed")


def _require_plugins() -> None:
    for plugin in ("compose", "buildx"):
        if not _quiet("docker", plugin, "version"):
            raise EngineMissing(f"docker has no plugin {plugin} (on Debian: apt-get install docker-{plugin})")


def _installed() -> bool:
    """Whether there is an engine that only needs to be started, new enough and with its plugins."""
    if shutil.which("dockerd") is None or shutil.which("docker") is None:
        return False
    version = subprocess.run(["dockerd", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r" (\d+)\.", version)
    plugins = all(_quiet("docker", plugin, "version") for plugin in ("compose", "buildx"))
    return plugins and found is not None and int(found[1]) >= OLDEST_ENGINE


def install() -> None:
    """Take only the engine's packages from a newer release."""
    print("Installing a container engine with apt-get ...", flush=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    Path(f"/etc/apt/sources.list.d/{SUITE}.sources").write_text(
        f"Types: deb\nURIs: {_mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {keyring}\n", encoding="utf-8"
    )
    Path(f"/etc/apt/preferences.d/{SUITE}").write_text(
        f"Package: *\nPin: release n={SUITE}\nPin-Priority: 100\n", encoding="utf-8"
    )
    _apt_get("update")
    _apt_get("install", "-y", "--no-install-recommends", "iptables", *(f"{package}/{SUITE}" for package in PACKAGES))


def _apt_get(*words: str) -> None:
    # Packages of daemons ask this file whether to start them. If systemd runs, the engine must not start twice.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o755)
    try:
        _run("apt-get", *APT_OPTIONS, *words)
    finally:
        if ours:
            policy.unlink(missing_ok=True)


def _start() -> bool:
    log = FOLDER / "log"
    files = ("--data-root", FOLDER / "data", "--exec-root", FOLDER / "exec", "--pidfile", FOLDER / "pid")
    host = ("-H", os.environ["DOCKER_HOST"]) if "DOCKER_HOST" in os.environ else ()
    with log.open("wb") as output:
        # A session of its own: the engine outlives the program that wanted it.
        process = subprocess.Popen(
            ["dockerd", *map(str, files), *host],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_DEADLINE_S
    while engine_version() is None:
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise EngineMissing(f"dockerd does not start: {' '.join(last)} (see {log})")
        time.sleep(0.1)
    return True


def _run(*words: str) -> None:
    """Run a command that must succeed; its output is shown only if it fails."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise EngineMissing(f"`{' '.join(words[:3])} ...` failed: {' '.join(last)}")


def _quiet(*words: str, timeout_s: float | None = None) -> bool:
    """Whether a command succeeds; its output is ignored."""
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=timeout_s).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """Let one process in at a time, because several test runs may begin together."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / name).open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
