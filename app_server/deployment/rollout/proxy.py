"""The proxy's configuration in a volume, so a running proxy can read a new one.

The image contains a configuration, which is used without roll-outs. A roll-out puts the release's own into a volume,
which the proxy mounts read-only in its place. From then on, a change of only the configuration is a reload: no request
waits, none fails. A digest in the volume says what is there.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app_server.deployment.rollout import docker
from app_server.deployment.rollout.docker import Project
from app_server.deployment.rollout.steps import PROXY, content_name
from app_server.errors import OperatorError

VOLUME = "configuration"
CONFIGURE = "configure"
DIGEST = "digest"
# Not called .conf: the folder's .conf files are read within the main file's.
MAIN = "main"
# The Dockerfiles' last layers: the configuration is copied, and its main file is moved.
CONFIGURED_LAYERS = 2
# Each file is there whole or not at all, and what the new configuration has not got goes.
_TAKE = (
    "cd /live && rm -rf .new && mkdir .new && tar -xf - -C .new && "
    'for each in *; do [ -e ".new/$each" ] || rm -rf "$each"; done && mv .new/* . && rmdir .new'
)


@dataclass(frozen=True)
class Program:
    """A proxy: its main file in a release, its image's configuration folder, and how to run, test and reload it."""

    main: str
    folder: str
    run: tuple[str, ...]
    check: tuple[str, ...]
    signal: str


PROGRAMS = {
    "nginx": Program(
        "nginx.conf", "/etc/nginx/conf.d",
        run=("nginx", "-c", f"/etc/nginx/conf.d/{MAIN}", "-g", "daemon off;"),
        check=("nginx", "-c", f"/etc/nginx/conf.d/{MAIN}", "-t", "-q"),
        signal="HUP",
    ),
    "apache": Program(
        "apache2.conf", "/etc/apache2/sites-enabled",
        run=("apache2", "-f", f"/etc/apache2/sites-enabled/{MAIN}", "-DFOREGROUND"),
        check=("apache2", "-f", f"/etc/apache2/sites-enabled/{MAIN}", "-t"),
        signal="USR1",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Configuration:
    """The proxy's configuration of a release, as files by their names in the volume."""

    kind: str
    files: Mapping[str, bytes]

    @property
    def program(self) -> Program:
        """What reads it."""
        return PROGRAMS[self.kind]

    @property
    def digest(self) -> str:
        """What is in it, as a few letters."""
        whole = hashlib.sha256(repr(sorted(self.files.items())).encode())
        return whole.hexdigest()[:16]

    def packed(self) -> bytes:
        """An archive of the files and the digest."""
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w") as archive:
            for name, content in (*sorted(self.files.items()), (DIGEST, self.digest.encode())):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return output.getvalue()


def configuration_of(place: Path) -> Configuration | None:
    """The proxy's configuration of the release in this folder, None if it has no proxy."""
    for kind, program in PROGRAMS.items():
        files = {path.name: path.read_bytes() for path in place.glob(f"docker/{kind}/site/*.conf")}
        if files:
            files[MAIN] = files.pop(program.main)
            return Configuration(kind, files)
    return None


def services(configuration: Configuration, image: str) -> dict[str, Any]:
    """The override of compose.yaml for the proxy and for what fills the volume. No service waits."""
    program = configuration.program
    return {
        PROXY: {"command": list(program.run), "volumes": [f"{VOLUME}:{program.folder}:ro"]},
        CONFIGURE: {
            "image": image,
            "profiles": [CONFIGURE],
            "user": "0:0",
            "network_mode": "none",
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "command": ["sh", "-c", _TAKE.replace("$", "$$")],
            "volumes": [f"{VOLUME}:/live"],
            "healthcheck": {"disable": True},
        },
    }


def differ_in_configuration_alone(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether two images of a proxy, as the engine knows them, are the same but for the configuration baked in."""
    layers = [image["RootFS"]["Layers"][:-CONFIGURED_LAYERS] for image in (old, new)]
    return bool(layers[0]) and layers[0] == layers[1] and old["Config"] == new["Config"]


def image_that_stays(project: Project, image: str) -> str:
    """The image of the running proxy if this one differs only in its configuration; else this one."""
    running = project.image_of(PROXY)
    known = docker.inspected("image", [running]) if running is not None else []
    if running is None or not known or not differ_in_configuration_alone(known[0], docker.about(image)):
        return image
    stays = content_name(image, running)
    docker.run("tag", running, stays)
    return stays


def is_changed(project: Project, configuration: Configuration | None) -> bool:
    """Whether the proxy that runs has read another configuration."""
    if configuration is None:
        return False
    try:
        read = project.compose("exec", "--no-TTY", PROXY, "cat", f"{configuration.program.folder}/{DIGEST}")
    except OperatorError:
        return True
    return read.strip() != configuration.digest


def fill(project: Project, configuration: Configuration) -> None:
    """Put a configuration into the project's volume; who runs there reads it at the next start or reload."""
    words = ("run", "--rm", "--no-deps", "--no-TTY", CONFIGURE)
    project.compose(*words, where="the proxy's configuration", stdin=configuration.packed())


def reload(project: Project, configuration: Configuration) -> None:
    """Make the running proxy check and read a new configuration."""
    fill(project, configuration)
    where = f"{configuration.kind}'s configuration"
    project.compose("exec", "--no-TTY", PROXY, *configuration.program.check, where=where)
    project.compose("kill", "--signal", configuration.program.signal, PROXY)


def overrides(images: Mapping[str, str], configuration: Configuration | None) -> Iterator[str]:
    """The file that names a release's images by their contents, without dependencies: those are a roll-out's business.

    JSON is YAML too, but for the word that takes the dependencies away.
    """
    own = services(configuration, images[PROXY]) if configuration is not None else {}
    yield "services:\n"
    for service, image in images.items():
        more = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in own.get(service, {}).items())
        yield f'  {service}: {{"image": {json.dumps(image)}, depends_on: !reset []{more}}}\n'
    if own:
        yield f"  {CONFIGURE}: {json.dumps(own[CONFIGURE])}\nvolumes: {{{VOLUME}: {{}}}}\n"
