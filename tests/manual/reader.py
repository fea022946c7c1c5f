"""Someone who types what a page of the manual gives to type, in its order, on a bare Debian host."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import tomllib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.container.test_image import tiny_wheel
from tests.support.containers.engine import docker, one_at_a_time
from tests.support.containers.images import ROOT, TAG
from tests.support.waiting import patience, until
from tests.unit.docs.test_manual import Block, blocks

APP = "import tinywheel\nfrom bokeh.plotting import curdoc\n\ncurdoc().title = '{name}'\n"
COMMAND_DEADLINE_S = 400
NAME = f"app-server-manual:{TAG}"
PARTS = (
    ".dockerignore", "LICENSE", "README.md", "hatch_build.py", "pyproject.toml", "compose.yaml", "compose.tls.yaml",
    "compose.apache.yaml", "compose.dev.yaml", "ansible", "app_server", "deploy", "docker", "examples", "requirements",
    "tools",
)  # fmt: skip
SHELLS = ("console", "sh", "bash")
NOTHING = r"(?!)"


@dataclass(frozen=True)
class Typed:
    """How a line of a page ended."""

    line: str
    status: int
    said: str


@dataclass(frozen=True)
class Reader:
    """A person at a shell of the host `container`, in the folder that is at `folder` there and here."""

    container: str
    folder: Path

    def type(self, line: str) -> Typed:
        """Type a line; HOME is not set, as for a service's user."""
        words = ("--workdir", str(self.folder), self.container, "env", "-u", "HOME", "bash", "-c", line)
        done = subprocess.run(
            ["docker", "exec", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=patience(COMMAND_DEADLINE_S), check=False,
        )  # fmt: skip
        return Typed(line, done.returncode, done.stdout)

    def install(self, wheel: Path) -> None:
        """Bring app-server from its wheel, with what describes deployments, for a page that takes it for granted."""
        place = Path("/opt") / wheel.name
        docker("cp", wheel, f"{self.container}:{place}")
        typed = self.type(f"pip install '{place}[deploy]'")
        assert typed.status == 0, typed.said

    def read(
        self, page: Path, *, leaving: str = NOTHING, fails: str = NOTHING, parts: bool = False,
        adding: Mapping[str, Any] | None = None,
    ) -> Iterator[Typed]:  # fmt: skip
        """Type all that a page gives to type, and write down what it gives as deploy.yaml.

        `leaving` is a pattern of how lines begin that are another test's, `fails` one of those that end with status 1,
        as the page says. With `parts`, blocks that are not a whole file go into the one before; `adding` goes into
        each. AssertionError for a line that fails.
        """
        described: dict[str, Any] = {}
        for block in blocks(page):
            if block.language == "yaml" and (parts or re.search(r"^apps:", block.text, re.MULTILINE)):
                new = yaml.safe_load(block.text)
                described = merged(merged({} if "apps" in new else described, new), adding or {})
                (self.folder / "deploy.yaml").write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
            elif block.language in SHELLS:
                for line in typed_lines(block):
                    if re.match(leaving, line):
                        continue
                    typed = self.type(line)
                    assert typed.status == (1 if re.match(fails, line) else 0), f"{block}: $ {line}\n{typed.said}"
                    yield typed


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Both mappings in one; where both have a key, the other's counts, or what it adds."""
    both = {**one, **other}
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = merged(one[key], other[key])
    return both


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
        with one_at_a_time(f"build-{NAME}"):
            docker("build", "--quiet", "--tag", NAME, place, timeout_s=600)
    return NAME


def clone(folder: Path) -> None:
    """What is in a clone of the project, as far as a reader of docs/containers.md needs it."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
    for path in PARTS:
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=unwanted)
        else:
            shutil.copy(ROOT / path, folder / path)


def write_applications(folder: Path, *names: str) -> None:
    """Applications of the reader's own, which require a package that is beside them."""
    for name in names:
        (folder / f"{name}.py").write_text(APP.format(name=name), encoding="utf-8")
    (folder / "requirements.txt").write_text(f"./{tiny_wheel(folder).name}\n", encoding="utf-8")
    folder.chmod(0o755)


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """A reader on a fresh host that has the engine of this one, with a clone of the project in the folder."""
    clone(folder)
    with _running(
        folder, "--init", "--network", "host", "--volume", "/var/run/docker.sock:/var/run/docker.sock"
    ) as found:
        yield found


@contextmanager
def reader_of_a_host(folder: Path) -> Iterator[Reader]:
    """A reader who is root on a fresh host of their own, which systemd has started; there is no clone."""
    folders = ("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp")
    # On a host, systemd shares the mounts of the root with its services; in a container it leaves that to others.
    boot = ("/bin/sh", "-c", "mount --make-rshared / && exec /sbin/init")
    with _running(folder, "--privileged", "--cgroupns", "private", *folders, command=boot) as found:
        # Until the bus is there, it is refused at once.
        wait = "systemctl is-system-running --wait"
        until(lambda: found.type(wait).said.strip() in {"running", "degraded"}, "it is up", 60)
        yield found


@contextmanager
def _running(folder: Path, *options: str, command: tuple[str, ...] = ()) -> Iterator[Reader]:
    name = f"app-server-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, "--volume", f"{folder}:{folder}", *options, image(), *command)
    try:
        yield Reader(name, folder)
    finally:
        docker("rm", "--force", "--volumes", name, check=False)
