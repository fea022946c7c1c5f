"""What images of applications are built from: an image of app-server, and one that brings pip while they are built.

Our own base is built from what this program was installed from, or from a clone. Any other one is on this machine, or
comes from its registry: a name without a registry, such as team/app-server:2, is only looked for here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from app_server.deployment.contained import BASE, BASES, LABEL
from app_server.deployment.image_names import ImageName
from app_server.deployment.images.registry import has_registry, pull, push, require_registry
from app_server.deployment.images.sources import sources
from app_server.deployment.own_files import DOCKERFILE
from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.history import revision_of
from app_server.errors import OperatorError
from app_server.version import __version__

OWN = f"{BASE}:{__version__}"
"""The base of images if no other one is named. Its tag is the version: a newer app-server builds a newer one."""


def pip_of(base: str) -> str:
    """The image that brings pip, beside the base."""
    return f"{ImageName.of(base).repository}:pip"


def pip_secret(file: Path) -> tuple[str, str]:
    """The words of `docker build` that hand pip's configuration over, without a trace in the image."""
    return "--secret", f"id=pip.conf,src={file.resolve()}"


def provide(
    image: str, target: str, clone: Path | None, progress: Progress, *,
    secret: Sequence[str] = (), dockerfile: str = DOCKERFILE,
) -> None:  # fmt: skip
    """See to it that an image is here: find, build or pull it. OperatorError if that cannot be done."""
    if docker.image_id(image) is not None:
        return
    if clone is not None:
        _build(image, target, clone, progress, secret, dockerfile)
    elif has_registry(image):
        pull(image, progress)
    else:
        use = "" if target == "app-server" else "; it installs the requirements"
        hint = "Set --build-context to a clone of app-server, or load the image with `docker load`."
        raise OperatorError(f"there is no such image{use}", where=image, hint=hint)


def provide_pip(base: str, clone: Path | None, progress: Progress, secret: Sequence[str] = ()) -> str:
    """The image that brings pip: the one beside the base, or else one that is built here, which fits every base."""
    beside = pip_of(base)
    if docker.image_id(beside) is None and clone is None:
        if has_registry(beside):
            with suppress(OperatorError):
                docker.run("pull", "--quiet", beside)
                return beside
        beside, clone = pip_of(OWN), sources()
    provide(beside, "pip", clone, progress, secret=secret)
    return beside


def refuse_foreign(base: str) -> None:
    """OperatorError for a base that is not an image of app-server, or already contains a site's applications."""
    config = docker.about(base)["Config"]
    if LABEL in (config.get("Labels") or {}):
        hint = "Use app-server; if its name was overwritten, remove it with `docker rmi` and build it again."
        raise OperatorError("is an image of applications, which cannot be a base", where=base, hint=hint)
    if config.get("Entrypoint") != ["start"]:
        hint = "Use app-server, or an image that is built FROM it."
        raise OperatorError("was not built by app-server", where=base, hint=hint)


def rebuild(
    name: str, clone: Path, progress: Progress, secret: Sequence[str] = (), *, pushed: bool = False
) -> int:
    """Build app-server's own image under a name, even if there is one, and the image that brings pip; 0.

    If they are `pushed`, both go to the registry that the name names.
    """
    if pushed:
        require_registry(name)
    docker.require_builder()
    if docker.image_id(name) is not None:
        refuse_foreign(name)
    for image, target in ((name, "app-server"), (pip_of(name), "pip")):
        _build(image, target, clone, progress, secret, DOCKERFILE)
    for image in (name, pip_of(name)) if pushed else ():
        push(image, progress)
    progress(f"build on it: app-server image FILE_OR_DIR --from {name}")
    return 0


def _build(
    image: str, target: str, clone: Path, progress: Progress, secret: Sequence[str], dockerfile: str
) -> None:
    words = ["--file", str(clone / dockerfile), "--tag", image, "--build-arg", f"VERSION={__version__}"]
    name = ImageName.of(image)
    if name.repository in BASES and name.tag in (__version__, "latest"):
        # Each by its version, and as what Dockerfiles begin with.
        words += ["--tag", f"{name.repository}:{'latest' if name.tag == __version__ else __version__}"]
    # Around what a wheel brought there may be a repository of something else.
    if (clone / ".git").exists() and (revision := revision_of(clone)):
        words += ["--build-arg", f"REVISION={revision}"]
    if target:
        words += ["--target", target]
    words += [*secret, str(clone)]
    with progress.step(f"building {image} from {clone}", f"built {image} from {clone}"):
        docker.build(*words, where=image, progress=progress)
