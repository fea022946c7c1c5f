"""The command: checks the project that contains it."""

from __future__ import annotations

import argparse
import gc
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.house import assignments, cycles, figures, words
from tools.house.sources import PACKAGE, Fault, Source

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """0, or 1 with a line on stdout for each fault."""
    parser = argparse.ArgumentParser(prog="tools.house", description="Check what ruff, mypy and import-linter do not.")
    parser.add_argument("--figures", action="store_true", help="print the figures of folders, modules and functions")
    parser.add_argument("--words", action="store_true", help="print each marker word, even below the ceiling")
    wanted = parser.parse_args(argv)
    limits = _table(root / "pyproject.toml")["tool"]["app-server"]["house"]
    everything = words.read_texts(root, words.EVERYTHING)
    code = [source for source in everything if source.path.startswith(f"{PACKAGE}/") and source.path.endswith(".py")]
    measured = figures.measure(code)
    markers = words.marker_words(source for source in everything if words.is_read(source.path))
    if wanted.figures:
        print(figures.report(measured))
        print(f"marker words: {len(markers)} ({words.summary(markers)})")
    faults = [
        *cycles.find_cycles(code),
        *assignments.judge(assignments.find_assignments(code), _table(root / assignments.LIST)),
        *figures.above(measured, limits),
        *words.too_many(markers, -1 if wanted.words else limits["marker-words"]),
        *words.old_names(everything),
    ]
    return _report(faults, code)


def _report(faults: Sequence[Fault], code: Sequence[Source]) -> int:
    for fault in faults:
        print(fault)
    print(f"{len(faults)} faults" if faults else f"{len(code)} files are as the house wants them")
    return 1 if faults else 0


def _table(path: Path) -> Mapping[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    gc.disable()  # it keeps all that it reads
    sys.exit(main())
