"""The command: takes the pictures, or those whose names begin as it says."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tools.manual import ROOT
from tools.manual.pictures import camera, commands, console, pages
from tools.manual.pictures.serving import folder

FOLDER = ROOT / "docs" / "images" / "screens"
SOURCES = (
    pages.index, pages.development, pages.login, pages.full, pages.proxy, console.login, console.tabs,
    commands.server, commands.deployment,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all are taken."""
    parser = argparse.ArgumentParser(prog="tools.manual.pictures", description="Take the pictures of the manual.")
    parser.add_argument("sources", nargs="*", help="only these, such as pages.login or console")
    wanted = parser.parse_args(argv).sources
    FOLDER.mkdir(parents=True, exist_ok=True)
    with camera.browser() as started:
        for source in SOURCES:
            name = f"{source.__module__.rpartition('.')[2]}.{source.__name__}"
            if wanted and not any(name.startswith(each) for each in wanted):
                continue
            with folder() as place:
                for title, png in source(started, place):
                    (FOLDER / f"{title}.png").write_bytes(png)
                    print(f"{title}.png  {len(png):,} bytes", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
