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
from dataclasses import dataclass, replace
from pathlib import Path

from app_server.deployment.contained import BASE, LABEL, is_base
from app_server.deployment.image_names import ImageName
from app_server.deployment.images.base import pip_of, pip_secret, provide, provide_pip, refuse_foreign
from app_server.deployment.images.contents import Contents
from app_server.deployment.images.context import context_of
from app_server.deployment.images.registry import push, require_registry
from app_server.deployment.images.sources import sources
from app_server.deployment.progress.buildkit import BuildSteps
from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker
from app_server.errors import OperatorError

_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_NAME = re.compile(rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?")
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
    installer: str | None = None
    """the image that brings pip, if it is not the one beside the base"""
    pushed: bool = False
    """whether it goes to its registry, once it is built"""
    revision: str = ""
    """of the applications, if they are in a repository"""

    @property
    def pip(self) -> str:
        """The image that brings pip."""
        return self.installer or pip_of(self.base)

    @property
    def secret(self) -> tuple[str, ...]:
        """The words of `docker build` that hand pip's configuration over."""
        return () if self.pip_conf is None else pip_secret(self.pip_conf)


def full_name(text: str, flag: str) -> str:
    """An image's name with its tag. OperatorError where it is none."""
    if not _NAME.fullmatch(text):
        hint = "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."
        raise OperatorError(f"{text!r} is not the name of an image", where=flag, hint=hint)
    return text if ":" in text.rpartition("/")[2] else f"{text}:latest"


def build(wish: Wish, progress: Progress) -> int:
    """Build, try and name the image; 0."""
    if wish.pushed:
        require_registry(wish.name)
    docker.require_builder()
    _refuse_taken(wish)
    progress(f"{wish.name} from {wish.base}")
    provide(wish.base, "app-server", wish.build_context, progress, secret=wish.secret)
    if wish.contents.requirements:
        wish = replace(wish, installer=provide_pip(wish.base, wish.build_context, progress, wish.secret))
    if wish.proxy is not None and (clone := wish.build_context or sources()) is not None:
        dockerfile = f"docker/{wish.proxy}/Dockerfile"
        provide(f"{BASE}-{wish.proxy}:latest", "", clone, progress, secret=wish.secret, dockerfile=dockerfile)
    refuse_foreign(wish.base)
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
    if wish.pushed:
        digest = push(wish.name, progress)
        progress(f"digest:  {ImageName.of(wish.name).repository}@{digest}")
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
            image, steps = docker.build(*wish.secret, str(context), where=wish.name, progress=progress)
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
    labels = [f"      {name}={_quoted(value)}" for name, value in _labels(wish)]
    yield from (f"{label} \\" for label in labels[:-1])
    yield labels[-1]


def _labels(wish: Wish) -> Iterator[tuple[str, str]]:
    """What the image says of itself. An empty value takes back what the base says, which is not true of applications.

    When it was created is left out: the same applications give the same image.
    """
    about = {
        "title": wish.name,
        "description": f"Serves {', '.join(wish.contents.routes)}",
        "version": ImageName.of(wish.name).tag,
        "revision": wish.revision,
        "licenses": "",
        "base.name": wish.base,
    }
    yield from ((f"org.opencontainers.image.{name}", value) for name, value in about.items())
    if wish.contents.requirements is not None:
        yield "app-server.sbom", "/opt/packages/sbom.cdx.json"


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
