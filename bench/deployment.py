"""How long commands take from the start of their process: above all `app-server config all`.

`python -m bench.deployment [WORD ...] [--beside FOLDER]` measures the cases whose names begin with one of the words;
with `--beside`, a clone of another version too, in turns. Exits with 1 if a goal is missed. Modules and templates are
compiled beforehand, as in an installation that has been used once. On a busy machine, processor time says more than
the clock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.servers import cpu_clock

HERE = Path(__file__).resolve().parents[1]
RUNS = 7
READY = "Serving "
"""What a server logs when it is ready."""


@dataclass(frozen=True)
class Case:
    """A command, and the goal for its time in seconds by the clock; None if it is only shown.

    `words` is its command line, with `{run}` for a new name in each run; `text` is what deploy.yaml says.
    """

    name: str
    words: str
    text: str = ""
    goal_s: float | None = None
    runs: int = RUNS


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    clock_s: float
    processor_s: float


def applications(count: int, own: str = "") -> str:
    """The block `apps` with this many applications."""
    return "apps:\n" + "".join(f"  app{n}: {{path: app{n}.py{own}}}\n" for n in range(count))


_ALL = "config all -o {run}"
_ONE = applications(1) + "public: foo.com\ninstances: 6\n"
_TLS = _ONE + "tls: acme\nheaders: {frames: same}\n"

CASES = (
    Case("help", "--help"),
    Case("nginx of 1 application", "config nginx", _ONE),
    Case("1 application, 6 instances", _ALL, _ONE, 0.35),
    Case("1 application with TLS, 6 instances", _ALL, _TLS),
    Case("200 applications, 32 instances that serve all", _ALL,
         applications(200) + "public: foo.com\ninstances: 32\n", 5.0),
    Case("200 applications, 32 instances each", _ALL,
         applications(200, ", instances: 32") + "public: foo.com\n", 5.0, 3),
    Case("the same, instead of what was there", "config all -o again",
         applications(200, ", instances: 32") + "public: foo.com\n", 5.0, 3),
    Case("serve, until it is ready", "serve app.py --port 0"),
)  # fmt: skip


def run(tree: Path, case: Case, folder: Path, number: int) -> Cost:
    """Run a case once with the code of `tree`; a server is stopped once it is ready."""
    environment = {
        **os.environ, "PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": str(folder / f"compiled-{tree.name}"),
    }  # fmt: skip
    # Set, it would have each run compile all that is not installed, which no user's machine does.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    words = case.words.format(run=f"{tree.name}-{number}").split()
    command, began = [sys.executable, "-m", "app_server", *words], time.perf_counter()
    serves = words[0] == "serve"
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stderr is not None
        if serves:
            next(line for line in process.stderr if READY in line)
        else:
            # Waits for its end, but leaves it there, so that its clock can still be read.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        cost = Cost(time.perf_counter() - began, time.clock_gettime(cpu_clock(process.pid)))
        if serves:
            process.terminate()
            process.stderr.read()
    if process.returncode != 0:
        raise SystemExit(f"{case.name}: `app-server {' '.join(words)}` ended with {process.returncode}")
    return cost


def measure(trees: Sequence[Path], case: Case) -> dict[Path, list[Cost]]:
    """The runs of a case by tree, in turns, after one of each that does not count."""
    costs: dict[Path, list[Cost]] = {tree: [] for tree in trees}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "deploy.yaml").write_text(case.text, encoding="utf-8")
        (folder / "app.py").write_text("", encoding="utf-8")
        for number in range(case.runs + 1):
            for tree in trees:
                cost = run(tree, case, folder, number)
                if number:
                    costs[tree].append(cost)
    return costs


def report(case: Case, tree: Path, costs: Sequence[Cost]) -> bool:
    """Print what a case took; whether its goal is missed."""
    clock_s = statistics.median(cost.clock_s for cost in costs)
    processor = [cost.processor_s for cost in costs]
    missed = case.goal_s is not None and clock_s > case.goal_s
    verdict = "" if case.goal_s is None else f", goal {case.goal_s:g} s: {'missed' if missed else 'met'}"
    print(
        f"{case.name}{'' if tree == HERE else f' ({tree})'}: {clock_s:.3f} s, of the processor "
        f"{statistics.median(processor):.3f} s, at least {min(processor):.3f} s{verdict}",
        flush=True,
    )
    return missed and tree == HERE


def main(argv: Sequence[str]) -> int:
    """Measure every case, or those that are asked for; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.deployment")
    parser.add_argument("names", nargs="*", metavar="WORD")
    parser.add_argument("--beside", type=Path, metavar="FOLDER")
    wanted = parser.parse_args(argv)
    trees = [HERE] if wanted.beside is None else [wanted.beside.resolve(), HERE]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    missed = False
    for case in CASES:
        if not wanted.names or any(case.name.startswith(word) for word in wanted.names):
            for tree, costs in measure(trees, case).items():
                missed |= report(case, tree, costs)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
