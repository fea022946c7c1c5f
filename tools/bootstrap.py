#!/usr/bin/env python3
"""Install exactly the packages of a lock, and the project itself, into .venv; do nothing if they are there already.

    python3 tools/bootstrap.py run|test [this]
    python3 tools/bootstrap.py oldest

.venv gets the newest tested Python that is found, or with `this` the one that runs this. `oldest` fills .venv-oldest
from the tests' lock with the oldest one, for which the lock has older versions of bokeh and Panel. The machine's own
Python 3 may be an old one, so this uses only old syntax, and says what is missing.
"""

import glob
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = "APP_SERVER_VENV"
VENV = os.path.join(ROOT, os.environ.get(FOLDER, ".venv"))
STAMP = os.path.join(VENV, "app-server-lock")
OLDEST = (3, 11)
# The newest one that passes the whole suite. Since 3.12, Python notes for next to nothing which lines have run.
NEWEST = (3, 13)
LOCKS = ("run", "test")


def main() -> int:
    """Build or refresh .venv or .venv-oldest, and return an exit status."""
    if sys.argv[1:] == ["oldest"]:
        return hand_over("test", oldest_python(), dict(os.environ, **{FOLDER: ".venv-oldest"}))
    lock, how = (sys.argv[1:] + ["", ""])[:2]
    if lock not in LOCKS or how not in ("", "this") or len(sys.argv) > 3:
        print("usage: bootstrap.py oldest|" + "|".join(LOCKS) + " [this]", file=sys.stderr)
        return 2
    wanted = fingerprint()
    if is_current(lock, wanted, sys.version if how else None):
        return 0
    if not how:
        return hand_over(lock, newest_python(), os.environ)
    if sys.version_info < OLDEST:
        return refuse_this_python()
    if importlib.util.find_spec("ensurepip") is None and not install_venv_package(lock):
        return 1
    what = "Setting up {} with Python {}.{} from requirements/{}.txt ..."
    print(what.format(os.path.basename(VENV), *sys.version_info[:2], lock))
    sys.stdout.flush()
    try:
        install(os.path.join(ROOT, "requirements", lock + ".txt"))
    except subprocess.CalledProcessError as error:
        print("bootstrap: this failed: " + " ".join(map(str, error.cmd)), file=sys.stderr)
        return 1
    with open(STAMP, "w", encoding="utf-8") as file:
        file.write("\n".join((lock, wanted, sys.version)))
    return 0


def fingerprint() -> str:
    """A text that changes when a lock, the project's metadata or the folder does."""
    digest = hashlib.sha256()
    for path in ("requirements/run.txt", "requirements/test.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, path), "rb") as file:
            digest.update(file.read())
    return f"{digest.hexdigest()} {ROOT}"


def is_current(lock: str, wanted: str, version: "str | None") -> bool:
    """Whether .venv contains what the lock names, with a Python of this version (None: any) that still runs."""
    try:
        with open(STAMP, encoding="utf-8") as file:
            made_for, had, made_with = file.read().split("\n", 2)
        # test.txt contains all of run.txt.
        if had != wanted or made_for not in (lock, "test") or version not in (None, made_with):
            return False
        return subprocess.call([venv_python(), "-c", ""], stderr=subprocess.DEVNULL) == 0
    except (OSError, ValueError):
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


def newest_python() -> str:
    """The newest tested Python of this machine, or this one if there is none."""
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    return next(found_pythons(minors), sys.executable)


def oldest_python() -> str:
    """The oldest tested Python of this machine, or this one if there is none."""
    minors = range(OLDEST[1], NEWEST[1] + 1)
    return next(found_pythons(minors), sys.executable)


def found_pythons(minors: range) -> "Iterator[str]":
    """The Pythons of these minor versions that make virtual environments, in the versions' order."""
    for minor in minors:
        for found in pythons(minor):
            # A program in PATH may be a version manager's shim for a version that is not installed.
            if subprocess.call([found, "-c", "import ensurepip"], stderr=subprocess.DEVNULL) == 0:
                yield found


def pythons(minor: int) -> "list[str]":
    """Where Pythons of this minor version may be: this one, in PATH, and where pyenv keeps them."""
    name = f"python3.{minor}"
    folder = os.environ.get("PYENV_ROOT") or os.path.join(os.path.expanduser("~"), ".pyenv")
    kept = glob.glob(os.path.join(glob.escape(folder), "versions", f"3.{minor}.*[0-9]", "bin", name))
    this = sys.executable if sys.version_info[:2] == (3, minor) else None
    return [found for found in (this, shutil.which(name)) if found] + sorted(kept, reverse=True)


def hand_over(lock: str, python: str, environ: "Mapping[str, str]") -> int:
    """Run this again with that Python."""
    return subprocess.call([python, os.path.abspath(__file__), lock, "this"], env=environ)


def refuse_this_python() -> int:
    """Say which Python is needed."""
    print(
        "bootstrap: app-server needs Python {}.{} or newer, and {} is {}.{}. Name another one with: "
        "make PYTHON=/path/to/python3 ...".format(*OLDEST, sys.executable, *sys.version_info[:2]),
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
