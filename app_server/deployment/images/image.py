"""`app-server image`: an image of applications, built from the image app-server, tried, and only then named.

What goes into it lies in a scratch folder, the build's context, beside a Dockerfile of a few lines. The image gets its
name when its applications have answered; until then nothing has changed for anybody.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app_server.deployment.contained import BASE, LABEL, is_base
from app_server.deployment.images.contents import Contents
from app_server.deployment.images.context import context_of
from app_server.deployment.images.sources import DOCKERFILE
from app_server.deployment.progress.buildkit import BuildSteps
from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker
from app_server.errors import OperatorError

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
START_DEADLINE_S = 60.0
# Within the container, which costs much less than asking the engine again and again.
WAIT = "until healthcheck 2>/dev/null; do sleep 0.2; done"
# The arguments of `docker run`, here and in what is printed for users.
HARDENED = ("--init", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Wish:
    """The image to build: `base` is the image that it begins with, `build_context` a clone that has that one.

    Both names have a tag, as `full_name` gives them.
    """

    name: str
    base: str
    contents: Contents
    build_context: Path | None = None
    pip_conf: Path | None = None
    proxy: str | None = None
    """the kind of a proxy whose image is built too where it is missing: compose.yaml names it"""
    tried: bool = True
    force: bool = False

    @property
    def pip(self) -> str:
        """The image that brings pip, beside the base."""
        return f"{self.base.rpartition(':')[0]}:pip"


def full_name(text: str, flag: str) -> str:
    """An image's name with its tag. OperatorError where it is none."""
    if not _NAME.fullmatch(text):
        hint = "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."
        raise OperatorError(f"{text!r} is not the name of an image", where=flag, hint=hint)
    return text if ":" in text.rpartition("/")[2] else f"{text}:latest"


def build(wish: Wish, progress: Progress) -> int:
    """Build, try and name the image; 0."""
    docker.require_builder()
    _refuse_taken(wish)
    progress(f"{wish.name} from {wish.base}")
    needed = [(wish.base, "app-server"), *([(wish.pip, "pip")] if wish.contents.requirements else [])]
    for image, target in needed:
        _provide(image, target, wish, progress)
    if wish.proxy is not None and wish.build_context is not None:
        _provide(f"{BASE}-{wish.proxy}:latest", "", wish, progress, f"docker/{wish.proxy}/Dockerfile")
    _refuse_foreign_base(wish.base)
    image = _built(wish, progress)
    try:
        if wish.tried:
            answer = f"{', '.join(wish.contents.routes)} {'answer' if wish.contents.routes[1:] else 'answers'}"
            with progress.step("trying it", f"tried it: {answer}"):
                _try_out(image, wish.contents)
        docker.run("tag", image, wish.name)
    except BaseException:
        if not docker.about(image)["RepoTags"]:
            with suppress(OperatorError):
                docker.run("rmi", image)
        raise
    progress(f"run it:  docker run --rm {' '.join(HARDENED)} -p 127.0.0.1:5006:5006 {wish.name}")
    progress(f"open it: http://localhost:5006{wish.contents.routes[0] if len(wish.contents.routes) == 1 else '/'}")
    return 0


def _built(wish: Wish, progress: Progress) -> str:
    """The id of the image, which has no name yet."""
    image, steps = "", BuildSteps()

    def done() -> str:
        return f"built it, {int(docker.about(image)['Size']) / 1e6:.0f} MB{steps.summary},"

    with tempfile.TemporaryDirectory(prefix="app-server-image-") as scratch:
        context = Path(scratch)
        write_context(wish, context)
        with progress.step("building it", done):
            image, steps = docker.build(*_secret(wish), str(context), where=wish.name, progress=progress)
    return image


def _refuse_taken(wish: Wish) -> None:
    """OperatorError where the name is that of an image which this command has not made."""
    if wish.name in (wish.base, wish.pip) or is_base(wish.name):
        hint = "Choose another --tag."
        others = "is the base image that it would be built from"
        what = others if wish.name in (wish.base, wish.pip) else "is a base of other images"
        raise OperatorError(what, where=wish.name, hint=hint)
    is_there = docker.image_id(wish.name) is not None
    if is_there and not wish.force and LABEL not in (docker.about(wish.name)["Config"].get("Labels") or {}):
        hint = "Choose another --tag, or give --force."
        what = "exists already, and was not built by this command"
        raise OperatorError(what, where=wish.name, hint=hint)


def _provide(image: str, target: str, wish: Wish, progress: Progress, dockerfile: str = DOCKERFILE) -> None:
    """See to it that an image is here that others are built from. OperatorError where it is not and cannot be built."""
    if docker.image_id(image) is not None:
        return
    if wish.build_context is None:
        use = "" if target == "app-server" else "; it installs the requirements"
        hint = "Set --build-context to a clone of app-server, or load the image with `docker load`."
        raise OperatorError(f"there is no such image{use}", where=image, hint=hint)
    words = ["--file", str(wish.build_context / dockerfile), "--tag", image]
    if target:
        words += ["--target", target]
    words += [*_secret(wish), str(wish.build_context)]
    with progress.step(f"building {image} from {wish.build_context}", f"built {image} from {wish.build_context}"):
        docker.build(*words, where=image, progress=progress)


def _secret(wish: Wish) -> tuple[str, ...]:
    return () if wish.pip_conf is None else ("--secret", f"id=pip.conf,src={wish.pip_conf.resolve()}")


def _refuse_foreign_base(base: str) -> None:
    """OperatorError for a base that is not an image of app-server, or already contains a site's applications."""
    config = docker.about(base)["Config"]
    if LABEL in (config.get("Labels") or {}):
        hint = "Use app-server; if its name was overwritten, remove it with `docker rmi` and build it again."
        raise OperatorError("is an image of applications, which cannot be a base", where=base, hint=hint)
    if config.get("Entrypoint") != ["start"]:
        hint = "Use app-server, or an image that is built FROM it."
        raise OperatorError("was not built by app-server", where=base, hint=hint)


def write_context(wish: Wish, context: Path) -> None:
    """The build's context: the Dockerfile, the applications in apps/, what they require in requirements/."""
    context_of(wish.contents, context)
    (context / "Dockerfile").write_text("\n".join(dockerfile(wish)) + "\n", encoding="utf-8")


def dockerfile(wish: Wish) -> Iterator[str]:
    """The lines of the Dockerfile. What is required comes first: it changes less often than the applications."""
    contents = wish.contents
    yield f"FROM {wish.base}"
    if contents.requirements is not None:
        mounts = f"--mount=from={wish.pip},target=/pip --mount=source=requirements,target=/requirements"
        secret = " --mount=type=secret,id=pip.conf,target=/etc/pip.conf,uid=10001" if wish.pip_conf else ""
        installs = [
            f"cd {shlex.quote(str(Path('/requirements') / path.parent))} && /pip/install {shlex.quote(path.name)}"
            for path in contents.requirements.files
        ]
        yield f"RUN {mounts}{secret} {' && '.join(installs)}"
    words = shlex.join(contents.words)
    yield "COPY apps /apps"
    yield f"ENV APP_SERVER_APPS={_quoted(words)}"
    yield f"LABEL {LABEL}={_quoted(words)} \\"
    yield f"      org.opencontainers.image.title={_quoted(wish.name)} \\"
    yield f"      org.opencontainers.image.base.name={_quoted(wish.base)}"


def _quoted(value: str) -> str:
    """A value of a Dockerfile, in which no variable is replaced."""
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")


def _try_out(image: str, contents: Contents) -> None:
    """Start the image, and have each application build a session. OperatorError with its log's end if one fails."""
    container = docker.run("run", "--detach", *HARDENED, image).strip()
    hint = "--no-try builds it without this test, for applications that need something that is not here."
    try:
        if not docker.succeeds("exec", container, "timeout", f"{START_DEADLINE_S:g}", "sh", "-c", WAIT):
            what = f"does not start: {docker.complaint_of(container)}"
            raise OperatorError(what, where="the image", hint=hint)
        for word, route in zip(contents.words, contents.routes, strict=True):
            if not docker.succeeds("exec", container, "healthcheck", route):
                what = f"does not show its page: {docker.complaint_of(container)}"
                raise OperatorError(what, where=word, hint=hint)
    finally:
        with suppress(OperatorError):
            docker.run("rm", "--force", "--volumes", container)
