"""Print the percentage of each package's lines that have run; fail if it is below its floor in pyproject.toml.

python tools/coverage_floors.py     reads the data of `coverage run` in build/coverage; exits with 2 below a floor
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "app_server"
COVERAGE = (sys.executable, "-m", "coverage")
DATA = ROOT / "build" / "coverage" / "data"
REPORT = DATA.with_name("report.json")

# For each file's path in the project: the number of its lines, and those that have not run.
Missed = Mapping[str, tuple[int, tuple[int, ...]]]


def main() -> int:
    """Combine the data of all processes, and compare it with the floors."""
    combine(DATA)
    # Files that nothing has imported count too.
    subprocess.check_call([*COVERAGE, "json", "--quiet", f"--include={PACKAGE}/*", "-o", str(REPORT)], cwd=ROOT)
    files = dict(measured(json.loads(REPORT.read_text(encoding="utf-8"))))
    for path in sorted({str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).rglob("*.py")} - set(files)):
        files[path] = (lines_of(path), tuple(range(1, lines_of(path) + 1)))
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return judge(files, tools["app-server"]["coverage-floors"])


def combine(data: Path) -> None:
    """Join the data files of all processes beside `data`, but for those that were killed while they wrote.

    A file that was written to its end and cannot be read is warned about.
    """
    for begun in unfinished(data):
        begun.unlink()
    subprocess.check_call([*COVERAGE, "combine", "--quiet", f"--data-file={data}"], cwd=ROOT)


def unfinished(data: Path) -> list[Path]:
    """The data files that were not written to their end: coverage then adds a checksum to their names."""
    return [path for path in data.parent.glob(f"{data.name}.*") if not re.search(r"\.H\w+h$", path.name)]


def lines_of(path: str) -> int:
    """Roughly how many lines of a file can run: those that are not blank."""
    return sum(bool(line.strip()) for line in (ROOT / path).read_text(encoding="utf-8").splitlines())


def judge(files: Missed, floors: Mapping[str, float]) -> int:
    """Print the table and, for packages below their floor, the lines that have not run; return the exit status."""
    print("\nlines that have run, in percent")
    for package in packages(files):
        print(f"{share(files, package):8.2f}  {package}")
    low = [package for package, floor in floors.items() if share(files, package) < floor]
    for package in low:
        print(f"\n{package} is below {floors[package]} %. These lines have not run:")
        print("\n".join(f"  {path}: {', '.join(map(str, lines))}" for path, lines in missed(files, package)))
    return 2 if low else 0


def measured(report: Any) -> Missed:
    """The files in coverage's JSON report."""
    return {
        path: (about["summary"]["num_statements"], tuple(about["missing_lines"]))
        for path, about in report["files"].items()
    }


def packages(files: Missed) -> list[str]:
    """The package and its folders."""
    parts = [path.split("/") for path in files]
    return [PACKAGE, *sorted({"/".join(part[:2]) for part in parts if len(part) > 2})]


def share(files: Missed, package: str) -> float:
    """The percentage of lines in a folder and below it that have run; 100 if there are none."""
    inside = [about for path, about in files.items() if path.startswith(f"{package}/")]
    lines = sum(count for count, _ in inside)
    return 100 * (1 - sum(len(left) for _, left in inside) / lines) if lines else 100.0


def missed(files: Missed, package: str) -> list[tuple[str, tuple[int, ...]]]:
    """The files of a folder with lines that have not run."""
    return [(path, left) for path, (_, left) in sorted(files.items()) if left and path.startswith(f"{package}/")]


if __name__ == "__main__":
    sys.exit(main())
