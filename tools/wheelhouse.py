"""Gather what hosts install: the requirements, and wheels of all that they name and of app-server.

    python tools/wheelhouse.py DIR

Run it with a Python of the version that the hosts have, on the same kind of machine: wheels are chosen for the Python
that runs. `app-server release --packages DIR` packs the folder, and its hosts ask no index.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What the image of app-server is made of: the server, gunicorn, and /metrics.
REQUIREMENTS = ROOT / "requirements" / "image.txt"


def main(argv: Sequence[str]) -> int:
    """The exit status of the command."""
    if len(argv) != 1 or argv[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("app_server-*.whl"):
        old.unlink()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wheels = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    for words in (
        ["download", *wheels, "--dest", str(folder)],
        ["wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
    ):
        if (status := subprocess.call([*pip, *words])) != 0:
            return status
    shutil.copyfile(REQUIREMENTS, folder / "requirements.txt")
    print(f"{len(list(folder.glob('*.whl')))} wheels in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
