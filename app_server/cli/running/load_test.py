"""What `app-server load` does: what was typed as a test, and the report. It brings asyncio and TLS along."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import signal
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from app_server.cli.running.load_progress import progress_for
from app_server.cli.running.status import RunningServer, ask, fetch
from app_server.cli.terminal import say
from app_server.cli.typed import header_of, number_of, optional, word_of
from app_server.doctor.address import Target, read_target
from app_server.errors import AppServerError, OperatorError
from app_server.load.client import Site
from app_server.load.first_visit import Seen, first_visit
from app_server.load.person import Ideas, Script, Visit
from app_server.load.ramp import Limits
from app_server.load.report.findings import Findings, as_data, findings
from app_server.load.report.text import as_text
from app_server.load.run import LoadTest, Outcome, Wishes
from app_server.load.server_side import Look
from app_server.observe import exposition
from app_server.processes.runtime_dir import running
from app_server.version import __version__

MOST_PEOPLE = 20_000
FILES_BESIDES = 64
"""What the process has open besides the sockets of people."""

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


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What makes the test and prints the report. OperatorError for words that make no sense."""
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
    think_s = number_of(namespace, "think", 5.0, low=0.05, high=3600)
    most = int(number_of(namespace, "most", 1000, low=1, high=MOST_PEOPLE, whole=True))
    wishes = Wishes(
        Limits(p99_s=read_time(word_of(namespace, "p99") or "200ms", "--p99")),
        first=int(number_of(namespace, "first", 5, low=1, high=MOST_PEOPLE, whole=True)),
        most=most,
        stage_s=number_of(namespace, "stage", 10.0, low=1, high=3600),
    )
    site = Site(
        target.host, target.port, tls_of(target, word_of(namespace, "ca_file")), target.authority, target.origin,
        (("User-Agent", f"app-server-load/{__version__}"), *headers_in(word_of(namespace, "header_file"))),
    )  # fmt: skip
    asked = Asked(
        target,
        Visit(site, target.request_path, "scripts" in namespace),
        Ideas(think_s),
        wishes,
        looks_at(target, addresses, environ),
        optional(namespace, "instances", high=10_000) or max(1, len(addresses)),
        optional(namespace, "people", high=10_000_000),
        f"a move each {think_s:g} s",
        "yes_this_is_mine" in namespace,
        number_of(namespace, "timeout", 60.0, low=1, high=3600),
        "json" in namespace,
    )
    return partial(run, asked, environ)


def run(asked: Asked, environ: Mapping[str, str]) -> int:
    """Make the test and print the report; 0 if anything was measured."""
    open_enough_files(asked.wishes.most)
    found = asyncio.run(tested(asked, environ))
    say(json.dumps(as_data(found), indent=2) if asked.as_json else as_text(found))
    return 0 if found.outcome.stages else 1


async def tested(asked: Asked, environ: Mapping[str, str]) -> Findings:
    """The findings of the whole test, or of what was done of it when Ctrl-C was pressed."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    visiting = asyncio.ensure_future(
        first_visit(asked.visit, asked.target.url, is_mine=asked.is_mine, timeout_s=asked.timeout_s)
    )
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({visiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not visiting.done():
        visiting.cancel()
        raise KeyboardInterrupt
    seen = visiting.result()
    with progress_for(asked.target.url, asked.wishes.limits, environ) as progress:
        outcome = await LoadTest(asked.visit, asked.script, asked.wishes, asked.looks, progress).run(stop)
    return found_of(asked, seen, outcome)


def found_of(asked: Asked, seen: Seen, outcome: Outcome) -> Findings:
    """What the outcome means for what was asked."""
    return findings(
        asked.target.url, seen, outcome, asked.wishes.limits,
        instances=asked.instances, doing=asked.doing, wanted=asked.wanted,
    )  # fmt: skip


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
        lines = Path(file).read_text("utf-8").splitlines()
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
        return urlsplit(str(ask(server)["url"]).partition(" ")[0]).port
    except (AppServerError, ValueError):
        return None


def open_enough_files(people: int) -> None:
    """Allow this process as many sockets as there may be people. OperatorError if the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = people + FILES_BESIDES
    if soft >= wanted or soft == resource.RLIM_INFINITY:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        hint = f"Give --most {max(1, allowed - FILES_BESIDES)}, or raise the limit: ulimit -Hn."
        raise OperatorError(f"this process may have only {allowed} sockets and files open", where="--most", hint=hint)
