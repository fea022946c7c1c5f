"""The command: builds the manual, and fails on any warning."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.manual import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Sphinx's exit status: 0 if every page was built without a warning."""
    parser = argparse.ArgumentParser(prog="tools.manual", description="Build the manual as HTML.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "manual", help="where to build it")
    return build(parser.parse_args(argv).folder)


def build(folder: Path) -> int:
    """Build the manual into this folder. A warning is an error, but all of them are shown."""
    from sphinx.cmd.build import build_main

    doctrees = folder.with_name(f"{folder.name}-doctrees")
    words = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(doctrees)]
    status = int(build_main([*words, "-c", str(ROOT / "docs"), str(ROOT), str(folder)]))
    if status == 0:
        print(f"The manual is built: {folder / 'index.html'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
