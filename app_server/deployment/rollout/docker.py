"""What roll-outs ask of a container engine. Every failure is one line that says what to do."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app_server.deployment.progress.buildkit import BuildSteps
from app_server.deployment.progress.progress import Progress
from app_server.deployment.progress.streamed import stream
from app_server.deployment.reason import plain, reason_in
from app_server.errors import OperatorError

USUAL = "unix:///var/run/docker.sock"
"""Where engines listen by default."""
# 25 knows start_interval of health checks; compose 2.20 additional contexts of builds.
OLDEST_ENGINE = (25, 0)
OLDEST_COMPOSE = (2, 20)
# An exception of a library has a long traceback.
TELLING_LINES = 400
# What compose and builds tell of their progress.
_NOISE = re.compile(r"^\s*(#\d+ |Container |Network |Volume |\S+ (Pulling|Warning)|time=|-{3,}|\d* *\||>>>)")
# What is said of a thing that was listed, and was removed since.
_REMOVED = re.compile(
    r"(Error response from daemon: |Error: )?"
    r"(No such (object|container|image|service|task)\b|(service|task) \S+ not found"
    r"|removal of container \S+ is already in progress)",
    re.IGNORECASE,
)
_HASH = "com.docker.compose.config-hash"
_SERVICE = "com.docker.compose.service"
_IMAGE = "com.docker.compose.image"


def run(
    *words: str, hint: str | None = None, where: str | None = None, stdin: bytes | None = None,
    of_what_is_left: bool = False,
) -> str:  # fmt: skip
    """What `docker WORDS` prints. OperatorError with the end of its output if it fails.

    `of_what_is_left`: what it is about may have been removed since it was listed, some or all of it.
    """
    try:
        done = subprocess.run(["docker", *words], input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise _not_installed() from None
    said, complained = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    if done.returncode != 0 and not (of_what_is_left and _is_only_removed(complained)):
        raise OperatorError(last_words(complained or said), where=where or f"docker {words[0]}", hint=hint)
    return said


def _is_only_removed(complained: str) -> bool:
    """Whether nothing else was the matter than that things have been removed."""
    lines = [line for line in complained.splitlines() if line.strip()]
    return bool(lines) and all(_REMOVED.match(line) for line in lines)


def last_words(text: str) -> str:
    """The line that says why, out of all that a command has said."""
    lines = [line.strip() for line in plain(text).splitlines() if line.strip() and not _NOISE.match(line)]
    line = lines[-1] if lines else "failed without a message"
    line = re.sub(r"^(Error response from daemon|ERROR|error):\s*", "", line)
    return line.removesuffix("Is the docker daemon running?").rstrip(". ")


def require_engine() -> None:
    """OperatorError if no engine answers, or it is too old."""
    try:
        engine = run("version", "--format", "{{.Server.Version}}").strip()
    except OperatorError as error:
        if error.where is None:
            raise
        if (host := endpoint()) and host != USUAL:
            hint = "Check DOCKER_HOST, and the context that `docker context ls` shows."
            what = f"the container engine does not answer: {last_words(error.what)}"
            raise OperatorError(what, where=host, hint=hint) from None
        raise OperatorError("no container engine answers", hint="Start Docker: systemctl start docker.") from None
    if _version(engine) < OLDEST_ENGINE:
        need = ".".join(map(str, OLDEST_ENGINE))
        raise OperatorError(f"the container engine is {engine}, and {need} is needed", hint="Install a newer one.")


def endpoint() -> str:
    """Where docker looks for the engine, by DOCKER_HOST or its context; "" if it does not say."""
    words = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def elsewhere() -> str | None:
    """The address of an engine on another machine, which sees other files and ports; None for one on this machine."""
    host = endpoint()
    return host if host and not host.startswith(("unix://", "npipe://", "fd://")) else None


def require() -> None:
    """OperatorError if no engine answers, or it or compose is too old."""
    require_engine()
    try:
        compose = run("compose", "version", "--short").strip()
    except OperatorError:
        raise OperatorError("docker's compose plugin is not installed", hint="Install docker-compose-plugin.") from None
    if _version(compose) < OLDEST_COMPOSE:
        need = ".".join(map(str, OLDEST_COMPOSE))
        raise OperatorError(f"docker compose is {compose}, and {need} is needed", hint="Install a newer one.")


def require_builder() -> None:
    """OperatorError if there is no engine or no BuildKit, which our Dockerfiles need."""
    require_engine()
    if not succeeds("buildx", "version"):
        raise OperatorError("docker's buildx plugin is not installed", hint="Install docker-buildx-plugin.")


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def succeeds(*words: str) -> bool:
    """Whether `docker WORDS` succeeds; its output is ignored."""
    return subprocess.run(["docker", *words], capture_output=True, check=False).returncode == 0


def project_at(port: int) -> str | None:
    """The project of compose that has a container which publishes this port; None if there is none."""
    label = '{{.Label "com.docker.compose.project"}}'
    done = subprocess.run(
        ["docker", "ps", "--filter", f"publish={port}", "--format", label], capture_output=True, text=True, check=False
    )
    return next(iter(done.stdout.split()), None)


def image_id(image: str) -> str | None:
    """The id of an image that is here, or None."""
    done = subprocess.run(
        ["docker", "image", "inspect", "--format", "{{.Id}}", image], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None


def about(image: str) -> dict[str, Any]:
    """What the engine knows of an image that is here."""
    known: list[dict[str, Any]] = json.loads(run("image", "inspect", image, where=image))
    return known[0]


def inspected(kind: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """What the engine knows of containers, images, services or tasks; those that it does not have are left out."""
    if not ids:
        return []
    known: list[dict[str, Any]] = json.loads(run("inspect", "--type", kind, *ids, of_what_is_left=True))
    return known


def build(*words: str, where: str, progress: Progress) -> tuple[str, BuildSteps]:
    """The id of the image that `docker build WORDS` makes, and its steps. OperatorError with why it does not."""
    with tempfile.TemporaryDirectory(prefix="app-server-build-") as scratch:
        file = Path(scratch) / "id"
        head = ("build", "--progress", "plain", "--iidfile", str(file))
        steps = build_steps(*head, *words, where=where, progress=progress)
        return file.read_text(encoding="ascii").strip(), steps


def build_steps(*words: str, where: str, progress: Progress) -> BuildSteps:
    """Run a `docker` command that builds, and report its steps. OperatorError with the line that says why it fails."""
    steps = BuildSteps()

    def read(line: str) -> None:
        progress.output(line)
        if line:
            progress.now(line)
        for text, seconds in steps.feed(line):
            progress.part(text, seconds)

    try:
        status, said = stream(["docker", *words], read)
    except FileNotFoundError:
        raise _not_installed() from None
    if status != 0:
        raise OperatorError(reason_of_build(said), where=where)
    return steps


def _not_installed() -> OperatorError:
    return OperatorError("docker is not installed", hint="Install Docker Engine and its compose plugin.")


def reason_of_build(text: str) -> str:
    """The line of a failed build that says why: the first error of the program that was run, or else the engine's."""
    found = re.search(r"^#\d+ [\d.]+ ERROR: (.+)$", text, re.MULTILINE)
    return found[1].rstrip(". ") if found else last_words(text)


def complaint_of(container: str) -> str:
    """Of what a container has written last: why it failed, or where that is not said the last line."""
    done = subprocess.run(
        ["docker", "logs", "--tail", str(TELLING_LINES), container],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    return reason_in(done.stdout) or last_words(done.stdout)


@dataclass(frozen=True)
class Project:
    """A project of compose: its name, and the files that describe it, relative paths of which begin in `folder`."""

    name: str
    files: Sequence[Path]
    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def compose(
        self, *words: str, where: str | None = None, hint: str | None = None, stdin: bytes | None = None
    ) -> str:
        """What `docker compose WORDS` prints."""
        return run(*self.head(), *words, where=where or "docker compose", hint=hint, stdin=stdin)

    def head(self) -> list[str]:
        """What follows `docker` in each command for this project."""
        files = [word for file in self.files for word in ("--file", str(file))]
        return ["compose", "--project-name", self.name, "--project-directory", str(self.folder), *files]

    def build(self, progress: Progress) -> BuildSteps:
        """Build the images of the project, and report the steps."""
        words = (*self.head(), "--progress", "plain", "build")
        return build_steps(*words, where="docker compose build", progress=progress)

    def hashes(self) -> dict[str, str]:
        """The fingerprint of each service's configuration, in the order of the file."""
        known = dict(line.split() for line in self.compose("config", "--hash", "*").splitlines() if line.strip())
        return {name: known[name] for name in self.services()}

    def services(self) -> list[str]:
        """The services in the order of the file."""
        found: dict[str, object] = json.loads(self.compose("config", "--format", "json"))["services"]
        return sorted(found)

    def running(self) -> dict[str, str]:
        """The fingerprints that the project's containers were made of, by service; of those that run."""
        return self._containers(f'{{{{.Label "{_HASH}"}}}}')

    def image_of(self, service: str) -> str | None:
        """The id of the image that a service's running container was started with, None if none runs."""
        return self._containers(f'{{{{.Label "{_IMAGE}"}}}}').get(service)

    def _containers(self, wanted: str) -> dict[str, str]:
        """Something of each container that runs, by its service."""
        listed = run(
            "ps", "--filter", f"label=com.docker.compose.project={self.name}",
            "--filter", "label=com.docker.compose.oneoff=False",
            "--format", f'{{{{.Label "{_SERVICE}"}}}} {wanted}',
        )  # fmt: skip
        return dict(line.split() for line in listed.splitlines() if line.strip())

    def log_of(self, service: str) -> str:
        """Of what a service has written last: why it failed, or where that is not said the last line."""
        tail = ("--tail", str(TELLING_LINES))
        try:
            said = self.compose("logs", "--no-color", "--no-log-prefix", *tail, service)
        except OperatorError:
            return ""
        return reason_in(said) or last_words(said)
