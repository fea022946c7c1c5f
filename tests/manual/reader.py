"""Somebody who types what a page of the manual gives to type, in its order, on a bare Debian host."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import docker
from tests.support.images import ROOT
from tests.unit.docs.test_manual import Block, blocks

COMMAND_DEADLINE_S = 400
NAME = "app-server-manual:test"
PARTS = (
    ".dockerignore", "LICENSE", "README.md", "pyproject.toml", "compose.yaml", "compose.tls.yaml",
    "compose.apache.yaml", "compose.dev.yaml", "ansible", "app_server", "deploy", "docker", "examples",
    "requirements", "tools",
)  # fmt: skip
SHELLS = ("console", "sh", "bash")


@dataclass(frozen=True)
class Typed:
    """How a line of a page ended."""

    line: str
    status: int
    said: str


@dataclass(frozen=True)
class Reader:
    """A person at a shell of the host `container`, in a clone of the project that is at `folder` there and here."""

    container: str
    folder: Path

    def type(self, line: str) -> Typed:
        """Type a line; HOME is not set, as for a service's user."""
        words = ("--workdir", str(self.folder), self.container, "env", "-u", "HOME", "bash", "-c", line)
        done = subprocess.run(
            ["docker", "exec", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=COMMAND_DEADLINE_S, check=False,
        )  # fmt: skip
        return Typed(line, done.returncode, done.stdout)

    def read(self, page: Path, *, leaving: tuple[str, ...] = (), ends: tuple[int, ...] = (0,)) -> Iterator[Typed]:
        """Type all that a page gives to type, and write down what it gives as deploy.yaml.

        `leaving` are beginnings of lines that are another test's. AssertionError for a line that fails.
        """
        for block in blocks(page):
            if block.language == "yaml" and re.search(r"^apps:", block.text, re.MULTILINE):
                (self.folder / "deploy.yaml").write_text(block.text, encoding="utf-8")
            elif block.language in SHELLS:
                for line in typed_lines(block):
                    if line.startswith(leaving):
                        continue
                    typed = self.type(line)
                    assert typed.status in ends, f"{block}: $ {line}\n{typed.said}"
                    yield typed


def typed_lines(block: Block) -> Iterator[str]:
    """The commands of a block, which begin with `$`; what they print stands below them."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            yield line.removeprefix("$ ")


def image() -> str:
    """The image of a bare host, built; the engine's cache makes that quick."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        shutil.copyfile(Path(__file__).with_name("Dockerfile"), place / "Dockerfile")
        needs = [*about["dependencies"], *about["optional-dependencies"]["deploy"]]
        (place / "packages.txt").write_text("\n".join(needs) + "\n", encoding="utf-8")
        docker("build", "--quiet", "--tag", NAME, place, timeout_s=600)
    return NAME


def clone(folder: Path) -> None:
    """What is in a clone of the project, as far as a reader needs it."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for path in PARTS:
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=unwanted)
        else:
            shutil.copy(ROOT / path, folder / path)


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader on a fresh host, with a clone of the project in the folder."""
    name = f"app-server-test-{uuid.uuid4().hex[:12]}"
    clone(folder)
    docker(
        "run", "--detach", "--init", "--name", name, "--network", "host", "--volume", f"{folder}:{folder}",
        "--volume", "/var/run/docker.sock:/var/run/docker.sock", image(),
    )  # fmt: skip
    try:
        yield Reader(name, folder)
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
