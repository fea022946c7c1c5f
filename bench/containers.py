"""Measure what containers cost with this machine's engine: `python -m bench.containers`, as root on Linux.

    build     all images from nothing but the base image and pip's cache, and the same again with nothing changed
    up        `docker compose up --wait` of a proxy and three instances
    page      a page through that stack, against the same from the instances' own sockets, in turns

Exits with 1 if a goal is missed. `--keep-cache` leaves out the build from nothing. Everything has names of its own,
and nothing of it stays but the engine's cache.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.servers import free_port

ROOT = Path(__file__).resolve().parents[1]
NAME = "app-server-bench"
COLD_GOAL_S = 180.0
UNCHANGED_GOAL_S = 3.0
UP_GOAL_S = 15.0
PAGE_GOAL_TIMES = 1.15
PAGES = 200
WARM_UP_PAGES = 90
TIMEOUT_S = 60.0
DEPLOY = f"""\
name: {NAME}
apps: {{sliders: sliders.py}}
public: [localhost, 127.0.0.1]
instances: 3
sessions: {{unused_lifetime_s: 2}}
paths: {{apps: "{ROOT}/bench/apps"}}
containers:
  build_context: "{ROOT}"
  images: {{app: "{NAME}:app-server", proxy: "{NAME}-proxy:latest"}}
  publish: {{http: PORT, address: 127.0.0.1}}
"""


def images() -> dict[str, Any]:
    """All images, described for `docker buildx bake`, which builds shared parts once."""

    def target(dockerfile: str, stage: str | None = None, **more: Any) -> dict[str, Any]:
        about = {"context": str(ROOT), "dockerfile": dockerfile, "output": ["type=docker"]}
        return {**about, **({"target": stage} if stage else {}), **more}

    targets = {
        **{stage: target("docker/app-server/Dockerfile", stage) for stage in ("app-server", "pip", "site")},
        "nginx": target("docker/nginx/Dockerfile"),
        "apache": target("docker/apache/Dockerfile"),
        "all-in-one": target("docker/all-in-one/Dockerfile", contexts={"app-server:latest": "target:app-server"}),
    }
    for name, about in targets.items():
        about["tags"] = [f"{NAME}:{name}"]
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def docker(*words: str, text: str = "") -> str:
    """The output of `docker WORDS`; if it fails, this program ends with that output."""
    done = subprocess.run(["docker", *words], input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"docker {' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def timed(act: Callable[[], object]) -> float:
    """How long it takes, in seconds."""
    began_s = time.monotonic()
    act()
    return time.monotonic() - began_s


def build(*options: str) -> None:
    """Build all images."""
    docker("buildx", "bake", "--progress", "plain", *options, "--file", "-", text=json.dumps(images()))


@contextmanager
def stack() -> Iterator[tuple[int, Callable[..., str], float]]:
    """A proxy and three instances: the port, a function that calls compose, and the time until they were healthy."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        (folder / "deploy.yaml").write_text(DEPLOY.replace("PORT", str(port)), encoding="utf-8")
        words = [sys.executable, "-m", "app_server", "config", "compose", "--output", "stack"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(words, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)

        def compose(*words: str) -> str:
            return docker("compose", "--file", str(folder / "stack/compose.yaml"), *words)

        compose("build", "--quiet")
        try:
            yield port, compose, timed(lambda: compose("up", "--detach", "--wait"))
        finally:
            compose("kill")
            compose("down", "--volumes")
            docker("rmi", f"{NAME}-proxy:latest")


def page(connect: Callable[[], socket.socket], port: int) -> float:
    """How long a new session's page takes, on a connection of its own, in seconds."""
    began_s = time.perf_counter()
    connection = http.client.HTTPConnection("localhost", port)
    connection.sock = connect()
    connection.request("GET", "/sliders", headers={"Connection": "close"})
    with connection.getresponse() as response:
        body = response.read()
    spent_s = time.perf_counter() - began_s
    if response.status != 200 or b"render_items" not in body:
        raise SystemExit(f"GET /sliders is answered with {response.status}")
    return spent_s


def pages(port: int, compose: Callable[..., str]) -> tuple[float, float]:
    """The median of a page's time from the instances themselves and through the proxy, in seconds.

    Each instance gets equally many pages of both kinds, because one that is asked by itself is faster by a fifth.
    """
    inits = {
        name: docker("inspect", "--format", "{{.State.Pid}}", compose("ps", "--quiet", f"app-{name}"))
        for name in ("a1", "a2", "a3")
    }
    turns = itertools.cycle(inits.items())

    def through() -> socket.socket:
        return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)

    def direct() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_S)
        name, init = next(turns)
        # The instance's own socket, as the proxy sees it.
        connection.connect(f"/proc/{init}/root/run/app-server/{name}.sock")
        return connection

    spent_s: dict[Callable[[], socket.socket], list[float]] = {direct: [], through: []}
    for number in range(WARM_UP_PAGES + PAGES):
        for connect, mine in spent_s.items():
            taken_s = page(connect, port)
            if number >= WARM_UP_PAGES:
                mine.append(taken_s)
    return statistics.median(spent_s[direct]), statistics.median(spent_s[through])


def printed(what: str, value: float, unit: str, goal: float) -> bool:
    """Print a figure and whether its goal is reached; return whether it is missed."""
    print(f"{what}: {value:.2f} {unit}, goal {goal:g} {unit}: {'met' if value <= goal else 'missed'}", flush=True)
    return value > goal


def main(argv: Sequence[str]) -> int:
    """Measure all; 1 if a goal is missed."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    missed = []
    try:
        if "--keep-cache" not in argv:
            missed.append(printed("all images from nothing", timed(lambda: build("--no-cache")), "s", COLD_GOAL_S))
        else:
            build()
        missed.append(printed("all images, nothing changed", timed(build), "s", UNCHANGED_GOAL_S))
        with stack() as (port, compose, up_s):
            missed.append(printed("compose up --wait", up_s, "s", UP_GOAL_S))
            direct_s, through_s = pages(port, compose)
        print(f"a page, p50: {direct_s * 1000:.2f} ms direct, {through_s * 1000:.2f} ms through the stack")
        missed.append(printed("a page through the stack", through_s / direct_s, "times direct", PAGE_GOAL_TIMES))
    finally:
        for image in images()["target"].values():
            subprocess.run(["docker", "rmi", *image["tags"]], capture_output=True, check=False)
    return 1 if any(missed) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
