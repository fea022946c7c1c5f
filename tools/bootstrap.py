#!/usr/bin/env python3
"""Install exactly the packages of a lock, and the project itself, into .venv; do nothing if they are there already.

    python3 tools/bootstrap.py run|test
    python3 tools/bootstrap.py next [PYTHON]

`next` fills .venv-next from the tests' lock with PYTHON, by default the newest one that there is. The lock has a newer
minor version of bokeh for it. The machine's own Python 3 runs this, so it uses only old syntax, and says what is
missing.
"""

import glob
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = "APP_SERVER_VENV"
VENV = os.path.join(ROOT, os.environ.get(FOLDER, ".venv"))
STAMP = os.path.join(VENV, "app-server-lock")
OLDEST = (3, 11)
# What the newest bokeh of the lock needs.
NEXT_OLDEST = (3, 12)
LOCKS = ("run", "test")


def main() -> int:
    """Build or refresh .venv or .venv-next, and return an exit status."""
    if sys.argv[1:2] == ["next"] and len(sys.argv) <= 3:
        return build_next(sys.argv[2] if len(sys.argv) == 3 else None)
    if len(sys.argv) != 2 or sys.argv[1] not in LOCKS:
        print("usage: bootstrap.py " + "|".join(LOCKS) + "|next [PYTHON]", file=sys.stderr)
        return 2
    if sys.version_info < OLDEST:
        return hand_over_to_a_newer_python()
    wanted = fingerprint()
    if is_current(sys.argv[1], wanted):
        return 0
    if importlib.util.find_spec("ensurepip") is None and not install_venv_package(sys.argv[1]):
        return 1
    what = "Setting up {} with Python {}.{} from requirements/{}.txt ..."
    print(what.format(os.path.basename(VENV), *sys.version_info[:2], sys.argv[1]))
    sys.stdout.flush()
    try:
        install(os.path.join(ROOT, "requirements", sys.argv[1] + ".txt"))
    except subprocess.CalledProcessError as error:
        print("bootstrap: this failed: " + " ".join(map(str, error.cmd)), file=sys.stderr)
        return 1
    with open(STAMP, "w", encoding="utf-8") as file:
        file.write(sys.argv[1] + " " + wanted)
    return 0


def build_next(python: "str | None") -> int:
    """Build or refresh .venv-next with this Python, or with the newest one that there is; the exit status."""
    found = python or newest_python()
    if found is None:
        print(
            "bootstrap: the newest bokeh of the lock needs Python {}.{} or newer, and there is none. Install one, or "
            "name it with: make test-next NEXT_PYTHON=/path/to/python3".format(*NEXT_OLDEST),
            file=sys.stderr,
        )
        return 1
    environ = dict(os.environ, **{FOLDER: ".venv-next"})
    return subprocess.call([found, os.path.abspath(__file__), "test"], env=environ)


def newest_python() -> "str | None":
    """The path of the newest Python in PATH or among pyenv's, if it is new enough."""
    pyenv = os.environ.get("PYENV_ROOT", os.path.join(os.path.expanduser("~"), ".pyenv"))
    for minor in range(NEXT_OLDEST[1] + 8, NEXT_OLDEST[1] - 1, -1):
        name = f"python3.{minor}"
        for found in [shutil.which(name)] + glob.glob(os.path.join(pyenv, "versions", "*", "bin", name)):
            if found and runs(found):
                return found
    return None


def runs(python: str) -> bool:
    """Whether this is a Python. A program in PATH may be a version manager's shim for one that is not installed."""
    return subprocess.call([python, "-c", ""], stderr=subprocess.DEVNULL) == 0


def fingerprint() -> str:
    """A text that changes when a lock, the project's metadata, this Python or the folder does."""
    digest = hashlib.sha256()
    for path in ("requirements/run.txt", "requirements/test.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, path), "rb") as file:
            digest.update(file.read())
    return f"{digest.hexdigest()} {sys.version} {ROOT}"


def is_current(lock: str, wanted: str) -> bool:
    """Whether .venv contains what the lock names, and its Python still runs."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            made_for, _, had = file.read().partition(" ")
        # test.txt contains all of run.txt.
        if had != wanted or made_for not in (lock, "test"):
            return False
        return subprocess.call([venv_python(), "-c", ""], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def install(lock: str) -> None:
    """Fill .venv; create it again if it has another Python."""
    probe = "import sys; print(sys.version)"
    try:
        same = subprocess.check_output([venv_python(), "-c", probe], universal_newlines=True).strip() == sys.version
    except (OSError, subprocess.CalledProcessError):
        same = False
    if not same:
        shutil.rmtree(VENV, ignore_errors=True)
        subprocess.check_call([sys.executable, "-m", "venv", VENV])
    if os.path.exists(STAMP):
        os.remove(STAMP)
    pip = [venv_python(), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.check_call(pip + ["--require-hashes", "-r", lock])
    # The project's own build needs only hatchling, which the lock contains, so nothing unhashed is fetched.
    subprocess.check_call(pip + ["--no-deps", "--no-build-isolation", "--editable", ROOT])


def venv_python() -> str:
    """The Python of .venv."""
    return os.path.join(VENV, "Scripts", "python.exe") if os.name == "nt" else os.path.join(VENV, "bin", "python")


def install_venv_package(lock: str) -> bool:
    """Whether Python can create virtual environments; on Debian, install the package for that if necessary."""
    package = "python{}.{}-venv".format(*sys.version_info[:2])
    apt_get = shutil.which("apt-get")
    if lock == "test" and apt_get and hasattr(os, "geteuid") and os.geteuid() == 0:
        environ = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
        subprocess.call([apt_get, "update", "-qq"], env=environ)
        if subprocess.call([apt_get, "install", "-y", "-qq", "--no-install-recommends", package], env=environ) == 0:
            return True
    how = "apt-get install " + package if apt_get else "install your system's package for Python's venv module"
    print("bootstrap: this Python cannot create virtual environments. To fix it: " + how, file=sys.stderr)
    return False


def hand_over_to_a_newer_python() -> int:
    """Run this again with a newer Python if there is one beside `python3`; otherwise say what is needed."""
    for minor in range(OLDEST[1] + 8, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and runs(found):
            return subprocess.call([found] + sys.argv)
    print(
        "bootstrap: app-server needs Python {}.{} or newer, and {} is {}.{}. Name another one with: "
        "make PYTHON=/path/to/python3 ...".format(*OLDEST, sys.executable, *sys.version_info[:2]),
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
