"""The findings of a load test for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app_server.errors import in_one_line
from app_server.load.meter import Measured
from app_server.load.ramp import Why
from app_server.load.report.findings import Findings
from app_server.load.report.sizing import HEADROOM
from app_server.observe.screen import seconds, size

HEADINGS: Final = ("people", "messages/s", "p50", "p99", "pages", "opened in", "failed")
WIDTHS: Final = (6, 10, 8, 8, 6, 9, 6)
MOST_EXAMPLES: Final = 5
REFUSALS: Final = ("(403)", "(429)", "(503)")
ONE_ADDRESS: Final = (
    "All people of a test come from one address: --max-sessions-per-address, and rate limits of a proxy, refuse them "
    "sooner than others. --max-sessions refuses everyone."
)


def as_text(found: Findings) -> str:
    """The whole report."""
    parts = [
        verdict(found),
        "\n".join(table(found.outcome.stages)),
        "\n".join(_about(found)),
        "\n".join(_deploy(found)),
    ]
    return "\n\n".join(part for part in parts if part)


def verdict(found: Findings) -> str:
    """How many people the application carries, and how that is known."""
    where = in_one_line(found.url)
    if not found.outcome.stages:
        return f"{where}: nothing was measured: {found.outcome.why.value}."
    if found.too_many is None:
        return f"{where} carries at least {_people(found.carried)}: {found.outcome.why.value}."
    if found.why is Why.GENERATOR and not found.carried:
        return f"{where}: nothing is known: with {found.too_many.people}, {found.why.value}. Make the load elsewhere."
    if found.why is Why.GENERATOR:
        what = f"{where} carries at least {_people(found.carried)}"
        return f"{what}: with {found.too_many.people}, {found.why.value}. Make the load on another machine for more."
    what = f"carries {_people(found.carried)}" if found.carried else "carries no one"
    return f"{where} {what}: with {found.too_many.people}, {_because(found, found.too_many)}."


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _cores(count: float) -> str:
    return "1 core" if count == 1 else f"{count:g} cores"


def _because(found: Findings, stage: Measured) -> str:
    if found.why is Why.SLOW:
        return f"{found.why.value} (p99 {_time(stage.trips.p99_s)}, limit {seconds(found.limits.p99_s)})"
    if found.why is Why.FAULTS:
        return f"{found.why.value} ({', '.join(f'{count} x {kind}' for kind, count in stage.faults)})"
    return str(found.why.value)


def table(stages: Sequence[Measured]) -> Iterator[str]:
    """A line for each stage, below the headings."""
    if stages:
        yield _line(HEADINGS)
    for stage in stages:
        yield _line(cells(stage))


def cells(stage: Measured) -> tuple[str, ...]:
    """What the table says of a stage."""
    return (
        str(stage.people),
        f"{stage.moves / stage.seconds:.1f}" if stage.seconds else "-",
        _time(stage.trips.p50_s),
        _time(stage.trips.p99_s),
        str(stage.opens.count),
        _time(stage.opens.p99_s),
        str(stage.fault_count),
    )


def _line(words: Sequence[str]) -> str:
    return "  ".join(word.rjust(width) for word, width in zip(words, WIDTHS, strict=True))


def _time(value_s: float) -> str:
    return seconds(value_s if math.isfinite(value_s) else None)


def _about(found: Findings) -> Iterator[str]:
    """What people did, and what that costs the server."""
    outcome = found.outcome
    yield f"People: {found.doing}; widgets: {_counted(found.seen.movable) or 'none'}."
    if found.seen.left_out:
        yield f"Left out: {_counted(found.seen.left_out)}."
    missing = sum(stage.missing for stage in outcome.stages)
    if missing:
        yield f"Not played: {missing} messages, because the page has no such model."
    if outcome.rush is not None:
        failed = f", {outcome.rush.faults} failed" if outcome.rush.faults else ""
        yield f"Opens: {outcome.rush.opens_per_s:.1f} pages a second{failed}."
    costs = found.costs
    if costs is not None and costs.session_bytes is not None:
        yield f"Memory: {size(costs.session_bytes)} for each session, and {size(costs.idle_bytes)} without any."
    if costs is not None and costs.cpu_share is not None:
        yield f"Processor: {costs.cpu_share:.2%} of a core for each person."
    if costs is None:
        yield f"Memory and processor: not known: {outcome.unknown or 'the server was too busy to say'}."
    for example in [example for stage in outcome.stages for example in stage.examples][:MOST_EXAMPLES]:
        yield f"Failed: {in_one_line(example)}"
    if any(status in kind for stage in outcome.stages for kind, _ in stage.faults for status in REFUSALS):
        yield ONE_ADDRESS


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {in_one_line(kind)}" for kind, count in sorted(kinds.items()))


def _deploy(found: Findings) -> Iterator[str]:
    """What deploy.yaml should have."""
    wanted = found.size
    if wanted is None:
        if found.wanted is not None:
            yield f"For {_people(found.wanted)}: not known, because not even one instance carries anyone."
        return
    each = f"{wanted.people_each} on each"
    memory = "" if wanted.memory_mb is None else f", with {wanted.memory_mb} MB"
    cores = "" if wanted.cores is None else f" Together they use {_cores(wanted.cores)} on average."
    many = "1 instance" if wanted.instances == 1 else f"{wanted.instances} instances"
    most = "" if found.is_answer else " at most, because the limit was not found"
    share = f"which is {'at most ' if wanted.instances == 1 else ''}{HEADROOM:.0%} of what it carries"
    yield f"For {_people(wanted.people)}: {many}{most}{memory}; {each}, {share}.{cores}"
