"""How long `app-server config all` takes, from the start of the process to its end: `python -m bench.deployment`.

Exits with 1 if a goal is missed. On a busy machine, processor time says more than the clock.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RUNS = 7


@dataclass(frozen=True)
class Case:
    """A deployment, and the goal for the time that its files take, in seconds; None if it is only shown."""

    name: str
    text: str
    goal_s: float | None
    runs: int = RUNS


def applications(count: int, own: str = "") -> str:
    """The block `apps` with this many applications."""
    return "apps:\n" + "".join(f"  app{n}: {{path: app{n}.py{own}}}\n" for n in range(count))


CASES = (
    Case("1 application, 6 instances", applications(1) + "public: foo.com\ninstances: 6\n", 0.5),
    Case("200 applications, 32 instances that serve all", applications(200) + "public: foo.com\ninstances: 32\n", 5.0),
    Case("200 applications, 32 instances each", applications(200, ", instances: 32") + "public: foo.com\n", None, 1),
)


def measure(text: str, runs: int) -> tuple[float, float]:
    """The median of the clock's time and of the processor's, in seconds."""
    clock, processor = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "deploy.yaml").write_text(text, encoding="utf-8")
        for run in range(runs):
            command = [sys.executable, "-m", "app_server", "config", "all", "-o", f"out{run}"]
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
            clock.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(clock), statistics.median(processor)


def main(argv: Sequence[str]) -> int:
    """Measure every case, or those whose names begin with a word of `argv`; 1 if a goal is missed."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    missed = False
    for case in CASES:
        if argv and not any(case.name.startswith(word) for word in argv):
            continue
        clock_s, processor_s = measure(case.text, case.runs)
        verdict = (
            "" if case.goal_s is None else f", goal {case.goal_s:g} s: {'met' if clock_s <= case.goal_s else 'missed'}"
        )
        missed = missed or (case.goal_s is not None and clock_s > case.goal_s)
        print(f"{case.name}: {clock_s:.2f} s, {processor_s:.2f} s of the processor{verdict}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
