"""What was typed after `app-server load`, as a test. It brings asyncio and TLS along."""

from __future__ import annotations

import argparse
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from app_server.cli.deployments.flags import file_of as deployment_file
from app_server.cli.load_tests import deployment
from app_server.cli.running.choosing import RunningServer, port_in
from app_server.cli.running.status import ask, fetch
from app_server.cli.typed import header_of, number_of, optional, word_of
from app_server.doctor.address import Target, read_target
from app_server.errors import AppServerError, OperatorError
from app_server.load.person import Ideas, Script, Visit
from app_server.load.ramp import Limits
from app_server.load.recording.format import read
from app_server.load.recording.player import Playback
from app_server.load.run import Wishes
from app_server.load.server_side import Look
from app_server.load.site import Site
from app_server.observe import exposition
from app_server.processes.runtime_dir import running
from app_server.version import __version__

MOST_PEOPLE = 20_000
RUSH_S = 3.0
"""How long pages are opened as fast as they come, at the end."""

_TIME = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)")


@dataclass(frozen=True)
class Asked:
    """What was typed, after it was found to make sense."""

    target: Target
    visit: Visit
    script: Script
    wishes: Wishes
    looks: Sequence[Look]
    instances: int
    wanted: int | None
    doing: str
    is_mine: bool
    timeout_s: float
    as_json: bool
    picture: str | None = None
    file: str | None = None
    """The deployment to write to."""


def asked_for(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Asked:
    """What was typed. OperatorError for words that make no sense."""
    if not namespace.url:
        raise OperatorError("no address", hint="For example: app-server load http://localhost:5006/sliders")
    if urlsplit(namespace.url).username is not None:
        hint = "Write `Authorization: Basic …` into a file, and give it with --header-file: others see a command line."
        raise OperatorError("the address contains a password", where=repr(namespace.url.rpartition("@")[2]), hint=hint)
    target = read_target(namespace.url)
    addresses = getattr(namespace, "metrics", [])
    for address in addresses:
        read_target(address)
        exposition.check()
    script, doing = script_of(namespace)
    return Asked(
        target,
        visit_of(namespace, target),
        script,
        wishes_of(namespace),
        looks_at(target, addresses, environ),
        optional(namespace, "instances", high=10_000) or max(1, len(addresses)),
        optional(namespace, "people", high=10_000_000),
        doing,
        "yes_this_is_mine" in namespace,
        number_of(namespace, "timeout", 60.0, low=1, high=3600),
        "json" in namespace,
        picture_of(namespace),
        file_of(namespace),
    )


def wishes_of(namespace: argparse.Namespace) -> Wishes:
    """How the test is made."""
    stage_s = number_of(namespace, "stage", 10.0, low=1, high=3600)
    p99 = word_of(namespace, "p99")
    return Wishes(
        Limits() if p99 is None else Limits(p99_s=read_time(p99, "--p99")),
        first=int(number_of(namespace, "first", 5, low=1, high=MOST_PEOPLE, whole=True)),
        most=int(number_of(namespace, "most", 1000, low=1, high=MOST_PEOPLE, whole=True)),
        stage_s=stage_s,
        rush_s=min(RUSH_S, stage_s),
    )


def visit_of(namespace: argparse.Namespace, target: Target) -> Visit:
    """How pages are opened."""
    headers = headers_in(word_of(namespace, "header_file"))
    site = Site(
        target.host, target.port, tls_of(target, word_of(namespace, "ca_file")), target.authority, target.origin,
        (("User-Agent", f"app-server-load/{__version__}"), *headers),
    )  # fmt: skip
    return Visit(site, target.request_path, "scripts" in namespace)


def script_of(namespace: argparse.Namespace) -> tuple[Script, str]:
    """What people do, and that in words."""
    play = word_of(namespace, "play")
    if play is None:
        think_s = number_of(namespace, "think", 5.0, low=0.05, high=3600)
        return Ideas(think_s), f"a move each {think_s:g} s"
    if "think" in namespace:
        raise OperatorError("a recording has its own pauses", where="--think", hint="Leave it out, or --play.")
    recordings = read(Path(play))
    many = "a recording" if len(recordings) == 1 else f"{len(recordings)} recordings"
    return Playback(recordings), f"what {many} in {play} {'has' if len(recordings) == 1 else 'have'}"


def picture_of(namespace: argparse.Namespace) -> str | None:
    """The file for the picture. OperatorError if it cannot be there."""
    picture = word_of(namespace, "picture")
    if picture is not None and not Path(picture).parent.is_dir():
        raise OperatorError(f"the folder {Path(picture).parent} does not exist", where=f"--picture {picture}")
    return picture


def file_of(namespace: argparse.Namespace) -> str | None:
    """The deployment that is to be changed. OperatorError if it is none."""
    if "write" not in namespace:
        return None
    if "people" not in namespace:
        raise OperatorError(
            "needs the number of people that the deployment is for", where="--write", hint="Give --people."
        )
    file = namespace.write or str(deployment_file(None))
    deployment.check(file)
    return str(file)


def read_time(word: str, where: str) -> float:
    """The seconds that a time with a unit is. OperatorError for another word."""
    found = _TIME.fullmatch(word)
    value_s = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
    if not 0.001 <= value_s <= 600:
        raise OperatorError(f"expected a time such as 200ms or 1.5s, not {word[:60]!r}", where=where)
    return value_s


def tls_of(target: Target, ca_file: str | None) -> ssl.SSLContext | None:
    """How certificates are checked; None without TLS. OperatorError if the file has none."""
    if target.scheme != "https":
        return None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        hint = "Give a file in PEM format."
        raise OperatorError(
            f"cannot be read as certificates: {reason}", where=f"--ca-file {ca_file}", hint=hint
        ) from None


def headers_in(file: str | None) -> list[tuple[str, str]]:
    """The headers in this file. OperatorError for what cannot be read."""
    if file is None:
        return []
    where = f"--header-file {file}"
    try:
        lines = Path(file).read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise OperatorError("is not UTF-8 text", where=where) from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", where=where) from None
    return [
        _header(line, f"{where}:{number}") for number, line in enumerate(lines, 1) if line.strip() and line[0] != "#"
    ]


def _header(line: str, where: str) -> tuple[str, str]:
    """The header on a line, which an error does not show: it may be secret."""
    try:
        return header_of(line.strip(), where)
    except OperatorError:
        raise OperatorError("expected a line `NAME: VALUE`", where=where) from None


def looks_at(target: Target, addresses: Sequence[str], environ: Mapping[str, str]) -> Sequence[Look]:
    """What takes snapshots of the server: of these addresses, else of the server on this machine; empty if unknown."""
    if addresses:
        return [partial(fetch, address) for address in addresses]
    if not target.is_local:
        return ()
    for main, runtime_dir in running(environ):
        server = RunningServer(main, runtime_dir)
        if _port_of(server) == target.port:
            return [partial(ask, server)]
    return ()


def _port_of(server: RunningServer) -> int | None:
    """Where the server listens, None if it does not answer or has no port."""
    try:
        return port_in(str(ask(server)["url"]))
    except AppServerError:
        return None
