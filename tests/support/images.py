"""The images of a test run: built from this tree, and tagged so that nobody else's are touched."""

from __future__ import annotations

from pathlib import Path

from tests.support.engine import docker

ROOT = Path(__file__).resolve().parents[2]
TAG = "test"
# From nothing, on two busy cores.
BUILD_DEADLINE_S = 600.0

# Where each image's Dockerfile is, and the target in it.
DOCKERFILES = {
    "app-server": ("docker/app-server/Dockerfile", "app-server"),
    "app-server-pip": ("docker/app-server/Dockerfile", "pip"),
    "app-server-apache": ("docker/apache/Dockerfile", ""),
    "app-server-nginx": ("docker/nginx/Dockerfile", ""),
    "app-server-all-in-one": ("docker/all-in-one/Dockerfile", ""),
}


def build(image: str, *options: str) -> str:
    """Build one of our images and return its name with the tag."""
    dockerfile, target = DOCKERFILES[image]
    name = f"{image}:{TAG}"
    where = ("--file", str(ROOT / dockerfile), *(("--target", target) if target else ()), "--tag", name)
    docker("build", "--quiet", *where, *options, str(ROOT), timeout_s=BUILD_DEADLINE_S)
    return name
