"""What a deployment's containers are made of: the images' names, and where applications and Dockerfiles are.

Relative paths of `containers` begin in the folder of deploy.yaml, whatever folder the generated files are in.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from app_server.deployment.image_names import ImageName
from app_server.deployment.load import DEFAULT_NAME, LoadedSpec

BASE = "app-server"
"""The base of all images of applications."""
LABEL = "app-server.applications"
"""The label of images that contain applications; its value lists them."""
# The image's name if the deployment has none: its default name is the base image's.
NAMELESS = "app-server-apps"
BASES = frozenset({BASE, "app-server-nginx", "app-server-apache", "app-server-all-in-one"})
"""The images that belong to no deployment, without their tags."""


@dataclass(frozen=True, slots=True)
class Contained:
    """The images' names, and paths as the reader of the generated files finds them."""

    app: str
    """the image of the applications"""
    product: str
    """the image that holds the applications, whatever compose mounts"""
    proxy: str
    """the proxy's image"""
    build_context: str | None
    """the folder of our Dockerfiles; None if the images must exist"""
    base: str | None
    """the image that the applications' is built on; None for our own, which is built, too"""
    source: str
    """the folder of the applications"""
    mounts_configuration: bool
    """whether compose gives the proxy its configuration as files: its image was not built for this deployment"""
    is_whole: bool
    """whether the image holds all of that folder, and not only the applications and what they name"""
    mount: str | None
    """the folder that is mounted at /apps, None if the image contains the applications"""
    certificates: str
    """the folder of development certificates"""
    never: tuple[str, ...]
    """patterns of what no release holds: the deployment's own files"""
    secrets: tuple[str, ...]
    """files that no release holds, by absolute paths"""

    @property
    def builds_app(self) -> bool:
        """Whether compose builds the instances' image, and does not take the named base as it is."""
        return self.build_context is not None and not (self.mount and self.base)


def contained(loaded: LoadedSpec, beside: str) -> Contained:
    """What the containers of a deployment are made of; `beside` leads from the generated files to deploy.yaml."""
    spec, containers = loaded.spec, loaded.spec.containers
    mount = spec.paths.apps if containers.source is None else None
    built = containers.build_context
    name = NAMELESS if spec.name == DEFAULT_NAME else image_name(spec.name)
    # A separate tag: a deployment may have the proxy's name.
    proxy = f"{name}:{spec.proxy.kind}" if built else f"{BASE}-{spec.proxy.kind}:latest"
    app, stated_proxy = containers.images.app, containers.images.proxy
    if built and app is not None and loaded.is_inherited("containers", "images", "app"):
        app = _tagged(app, str(loaded.environment))
    if built and stated_proxy is not None and loaded.is_inherited("containers", "images", "proxy"):
        stated_proxy = _tagged(stated_proxy, str(loaded.environment))
    return Contained(
        app=app or ((spec.image.base or f"{BASE}:latest") if mount else f"{name}:latest"),
        product=app or f"{name}:latest",
        proxy=stated_proxy or proxy,
        build_context=built if built is None or "://" in built else seen_from(beside, built),
        base=spec.image.base,
        source=seen_from(beside, containers.source or "."),
        mounts_configuration=built is None,
        is_whole=containers.source is not None,
        mount=mount,
        certificates=seen_from(beside, "certificates"),
        never=_own_files(loaded),
        secrets=_secrets(loaded),
    )


def is_base(image: str) -> bool:
    """Whether an image is a base of others, whatever its tag."""
    return ImageName.of(image).repository in BASES


def _tagged(image: str, environment: str) -> str:
    """The same image for an environment that builds its own, such as site:2-staging."""
    name = ImageName.of(image)
    return f"{name.repository}:{name.tag or 'latest'}-{re.sub(r'[^A-Za-z0-9_.-]', '-', environment)}"


def image_name(name: str) -> str:
    """A name that engines accept for an image."""
    return re.sub(r"[._-]{2,}", "-", name.lower()).strip("._-") or "app"


def seen_from(beside: str, path: str) -> str:
    """A path that begins in deploy.yaml's folder, as compose takes it from the generated files: ./site, ../site."""
    if posixpath.isabs(path):
        return path
    joined = posixpath.normpath(posixpath.join(beside, path))
    return joined if joined == "." or joined.startswith(("/", "../")) or joined == ".." else f"./{joined}"


def _own_files(loaded: LoadedSpec) -> tuple[str, ...]:
    """deploy.yaml, what it says of environments, the applications' secrets, and the archive that `bundle` writes."""
    stem, dot, suffix = posixpath.basename(loaded.file).rpartition(".")
    names = (f"{stem}{dot}{suffix}", f"{stem}.*.{suffix}", f"{loaded.spec.name}.tar.gz")
    # Their names, whatever folder they are in: a container that gathers the files does not know deploy.yaml's folder.
    more = sorted({posixpath.basename(file) for file in _of_applications(loaded)})
    return tuple(f"**/{name}" for name in (*names, *more))


def _secrets(loaded: LoadedSpec) -> tuple[str, ...]:
    spec = loaded.spec
    stated = (getattr(spec.secrets, name) for name in type(spec.secrets).model_fields)
    basic = spec.access.basic
    files = (spec.tls.key, basic.file if basic else None, *(secret.file for secret in stated if secret is not None))
    own = (posixpath.join(posixpath.dirname(loaded.file), file) for file in sorted(_of_applications(loaded)))
    return tuple(file for file in (*files, *own) if file is not None)


def _of_applications(loaded: LoadedSpec) -> set[str]:
    """The files of applications' secrets: an image of staging must not have those of production."""
    own = loaded.spec.service.secrets
    return {*loaded.secret_files, *((own.file,) if own is not None and own.file is not None else ())}
