"""Programs of this machine that read the generated files: finding them, running them, and their output."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app_server.deployment.render import File, Files

ANSWER_S = 30.0
# Folders that only root has in PATH.
SYSTEM = ("/usr/sbin", "/sbin", "/usr/local/sbin")


@dataclass(frozen=True)
class Answer:
    """A program's output on stdout and stderr, and its exit status."""

    status: int
    text: str

    @property
    def lines(self) -> list[str]:
        """The lines that are not empty."""
        return [line.strip() for line in self.text.splitlines() if line.strip()]


def find(name: str) -> str | None:
    """The path of a program: of this Python's environment first, then the system's; None if it is not found."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath), *SYSTEM])
    return shutil.which(name, path=path)


def run(words: Sequence[str | Path], environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> Answer:
    """Run a program to its end, in English."""
    environment = {**os.environ, **(environ or {}), "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
    try:
        done = subprocess.run(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", timeout=ANSWER_S, check=False, env=environment, cwd=cwd,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(-1, f"no answer within {ANSWER_S:g} s")
    return Answer(done.returncode, done.stdout)


def write(folder: Path, files: Iterable[tuple[str, File]]) -> list[Path]:
    """Put files side by side into a folder, each under the last part of its path."""
    paths = []
    for path, file in files:
        paths.append(folder / Path(path).name)
        paths[-1].write_text(file.text, encoding="utf-8")
        paths[-1].chmod(0o644)
    return paths


def of_target(files: Files, target: str, ending: str = "") -> list[tuple[str, File]]:
    """The files of a target whose names end so."""
    return [(path, file) for path, file in files.items() if path.startswith(f"{target}/") and path.endswith(ending)]
