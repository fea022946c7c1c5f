"""Run the scenarios on each server in turn, print the ratios, and say which goals are reached."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import signal
import statistics
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench import goals, report
from bench.canned import record_all
from bench.goals import Results
from bench.holding import LEFTOVER_BUDGET_S
from bench.load import Figures, Scenario
from bench.scenarios import SCENARIOS
from bench.servers import ASGI, CANNED, OURS, STOCK, pin_client, serving

SERVERS = [STOCK, OURS, ASGI, CANNED]
OPEN_FILES = 8192
BUSY_LOAD = 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scenarios of the command line; 0 unless one could not be run."""
    options = parse(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # runs every `finally`, which stops the servers
    if os.getloadavg()[0] > BUSY_LOAD:
        print(f"The machine is busy (load {os.getloadavg()[0]:.1f}): expect noise above all in times, less in CPU.")
    pin_client()
    raise_open_files()
    chosen = [each for each in SCENARIOS if each.name in (options.only or (each.name,)) and wanted(each, options)]
    with tempfile.TemporaryDirectory() as folder:
        results, failures = measure(chosen, options.servers, options.quick, Path(folder))
    table = goals.rows(results)
    print("\n" + report.for_terminal(table))
    print("".join(f"\nFAILED {failure}" for failure in failures))
    publish(table, results, options)
    return 1 if failures else 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--quick", action="store_true", help="shorter runs of fewer sessions, under two minutes")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=names, help=f"some of: {', '.join(names)}")
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the ratios as SVG (needs matplotlib)")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table as a page of the manual")
    return parser.parse_args(argv)


def wanted(scenario: Scenario, options: argparse.Namespace) -> bool:
    """Whether a scenario is run: a quick run leaves out the longest unless they are named."""
    return bool(scenario.in_quick or options.only or not options.quick)


def raise_open_files() -> None:
    """Raise the limit of open files for this process and its servers to what the largest scenario needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


def measure(scenarios: list[Scenario], servers: list[str], quick: bool, recordings: Path) -> tuple[Results, list[str]]:
    """The medians of every scenario on every server, and what failed; servers take turns within a scenario."""
    if CANNED in servers:
        record_all(sorted({each.launch.app for each in scenarios if each.on_canned}), recordings)
    results: Results = {}
    failures: list[str] = []
    for scenario in scenarios:
        there = {STOCK: scenario.on_stock, ASGI: scenario.on_asgi, CANNED: scenario.on_canned}
        absent = {server for server, takes_part in there.items() if not takes_part}
        taking_part = [server for server in servers if server not in absent]
        runs: dict[str, list[Figures]] = {server: [] for server in taking_part}
        for number in range(1 if quick else scenario.repetitions):
            for server in taking_part if number == 0 else compared(taking_part):
                try:
                    figures = run_once(scenario, server, quick, recordings)
                except Exception as fault:  # one server's failure is a finding, not the end of the run
                    failures.append(f"{scenario.name} on {server}: {fault!r}")
                    print(
                        f"{scenario.name:16}{server:8}FAILED",
                        repr(fault),
                        *getattr(fault, "__notes__", ()),
                        sep="\n",
                        flush=True,
                    )
                else:
                    runs[server].append(figures)
                    print(f"{scenario.name:16}{server:8}{brief(figures)}", flush=True)
        results[scenario.name] = {server: medians(figures) for server, figures in runs.items()}
    return results, failures


def compared(servers: list[str]) -> list[str]:
    """The servers that are compared; the others are only shown, and one run of them is enough."""
    return [server for server in servers if server in (STOCK, OURS)]


def run_once(scenario: Scenario, server: str, quick: bool, recordings: Path) -> Figures:
    """The figures of one run on a fresh server."""

    async def bounded() -> Figures:
        return await asyncio.wait_for(scenario.run(served, quick), scenario.timeout_s)

    with serving(server, scenario.launch, recordings) as served:
        return asyncio.run(bounded())


def medians(runs: list[Figures]) -> Figures:
    """The median of each figure over the runs; empty of none."""
    return {name: statistics.median(run[name] for run in runs) for name in (runs[0] if runs else ())}


def brief(figures: Figures) -> str:
    """The figures on one line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())


def publish(table: list[goals.Row], results: Results, options: argparse.Namespace) -> None:
    """Write the requested files."""
    here = circumstances()
    if options.json:
        options.json.write_text(json.dumps({**vars(here), "quick": options.quick, "results": results}, indent=1))
    if options.picture:
        from bench.picture import draw

        draw(table, options.picture)
    if options.markdown:
        picture = os.path.relpath(options.picture or "docs/images/bench.svg", options.markdown.parent)
        options.markdown.write_text(report.for_manual(table, here, picture, LEFTOVER_BUDGET_S))


def circumstances() -> report.Circumstances:
    """The machine and the versions of what was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in ("bokeh", "tornado", "uvicorn"))
    return report.Circumstances(
        machine=f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}",
        versions=f"Python {platform.python_version()}, {packages}",
    )


if __name__ == "__main__":
    sys.exit(main())
