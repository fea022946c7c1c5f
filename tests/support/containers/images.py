"""The images of a test run: built from this tree, and tagged so no other checkout's are touched."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tests.support.containers.engine import docker, one_at_a_time

ROOT = Path(__file__).resolve().parents[3]
# The same in all workers of a run, and in the next run; another one in another checkout on this machine.
TAG = f"test-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
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
    # Workers that want the same image at the same time: the second one finds it in the engine's cache.
    with one_at_a_time(f"build-{TAG}"):
        docker("build", "--quiet", *where, *options, str(ROOT), timeout_s=BUILD_DEADLINE_S)
    return name
