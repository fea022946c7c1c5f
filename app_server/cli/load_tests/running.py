"""Makes the load test that was asked for, and prints the report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

from app_server import system
from app_server.cli.load_tests import deployment
from app_server.cli.load_tests.asked import Asked
from app_server.cli.load_tests.progress import progress_for
from app_server.cli.terminal import say
from app_server.errors import OperatorError
from app_server.files import write_atomically
from app_server.load.first_visit import Seen, first_visit
from app_server.load.ramp import Why
from app_server.load.report.findings import Findings, as_data, findings
from app_server.load.report.picture import as_svg
from app_server.load.report.text import as_text
from app_server.load.run import LoadTest, Outcome
from app_server.processes.signals import calling

FILES_BESIDES = 64
"""What the process has open besides the sockets of people."""


def run(asked: Asked, environ: Mapping[str, str]) -> int:
    """Make the test and print the report; 0 if anything was measured."""
    open_enough_files(asked.wishes.most)
    found = asyncio.run(tested(asked, environ))
    say(json.dumps(as_data(found), indent=2) if asked.as_json else as_text(found))
    if asked.picture is not None and found.outcome.stages:
        draw(found, asked.picture)
    if asked.file is not None:
        written = put(found, asked.file)
        if not asked.as_json:
            say(f"\n{written}")
    return 0 if found.outcome.stages else 1


def draw(found: Findings, picture: str) -> None:
    """Write the picture. OperatorError if that fails."""
    try:
        write_atomically(Path(picture), as_svg(found))
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=f"--picture {picture}") from None


def put(found: Findings, file: str) -> str:
    """Change the deployment, and say how. OperatorError if not enough is known, or the result were not valid."""
    if found.size is None or found.outcome.why is Why.INTERRUPTED:
        what = f"is not changed: {found.outcome.why.value}" if found.carried else "is not changed: no one is carried"
        raise OperatorError(what, where=file)
    return deployment.put(file, found.size)


async def tested(asked: Asked, environ: Mapping[str, str]) -> Findings:
    """The findings of the whole test, or of what was done of it when Ctrl-C was pressed."""
    stop = asyncio.Event()
    with calling(asyncio.get_running_loop(), stop.set):
        return await _tested(asked, environ, stop)


async def _tested(asked: Asked, environ: Mapping[str, str], stop: asyncio.Event) -> Findings:
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


def open_enough_files(people: int) -> None:
    """Allow this process as many sockets as there may be people. OperatorError if the system does not."""
    soft, hard = system.descriptor_limits()
    wanted = people + FILES_BESIDES
    if soft >= wanted:
        return
    allowed = int(min(wanted, hard))
    system.allow_descriptors(allowed)
    if allowed < wanted:
        hint = f"Give --most {max(1, allowed - FILES_BESIDES)}, or raise the limit: ulimit -Hn."
        raise OperatorError(f"this process may have only {allowed} sockets and files open", where="--most", hint=hint)
