"""How far a slider's move and the opening of a page's socket go through the server's code.

`python -m bench.walk` serves `bench/apps/shown.py` in this process, counts the Python calls of app_server in one
move of its slider and in one opening of its page's socket, and prints calls, functions and modules.
`--calls` prints each call too, indented by its depth; `--slider` and `--socket` fail when there are more calls than
that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import app_server
from app_server.apps import load_application
from app_server.server.server import Server
from app_server.settings import Settings
from bench import client

_PACKAGE = Path(app_server.__file__).parent
_VISITOR = (client.__file__, f"{_PACKAGE}/load/")
_APPLICATION = Path(__file__).parent / "apps" / "shown.py"
_INLINED = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>"})
"""Comprehensions, which are calls up to Python 3.11 and inlined from 3.12 on (PEP 709)."""

_WARM_UP_MOVES = 5
"""The first moves fill caches; after that, all walks have the same length."""

_QUIET_S = 0.05


@dataclass
class Walk:
    """The calls of app_server's functions, in order, each with its depth among them."""

    calls: list[tuple[int, CodeType]] = field(default_factory=list)

    @property
    def functions(self) -> int:
        """How many different functions were called."""
        return len({code for _, code in self.calls})

    @property
    def modules(self) -> int:
        """In how many different modules they are."""
        return len({code.co_filename for _, code in self.calls})

    def __str__(self) -> str:
        return f"{len(self.calls)} calls, {self.functions} functions, {self.modules} modules"

    def lines(self) -> Iterator[str]:
        """One line for each call: the module and the function, indented by the depth."""
        for depth, code in self.calls:
            yield f"{'  ' * depth}{Path(code.co_filename).relative_to(_PACKAGE)}: {code.co_qualname}"


@contextmanager
def walked() -> Iterator[Walk]:
    """Record this thread's calls of app_server's functions inside the block; a resumed coroutine is a call too.

    The visitor is in this thread, too: what it calls of app_server's protocol is not the server's.
    """
    walk, prefix, depth, in_visitor = Walk(), f"{_PACKAGE}/", 0, 0

    def note(frame: FrameType, event: str, arg: object) -> None:
        nonlocal depth, in_visitor
        step = {"call": 1, "return": -1}.get(event, 0)
        if frame.f_code.co_filename.startswith(_VISITOR):
            in_visitor += step
        elif frame.f_code.co_filename.startswith(prefix) and frame.f_code.co_name not in _INLINED and not in_visitor:
            if event == "call":
                walk.calls.append((depth, frame.f_code))
            depth += step

    sys.setprofile(note)
    try:
        yield walk
    finally:
        sys.setprofile(None)


async def _noted(work: Awaitable[object]) -> Walk:
    await asyncio.sleep(_QUIET_S)  # what is still running does not belong to the walk
    with walked() as walk:
        await work
    return walk


async def measure() -> tuple[Walk, Walk]:
    """The walks of a slider's move and of a socket's opening, from the first bytes to the answer."""
    server = Server.bound({"/": load_application(_APPLICATION)}, Settings(port=0), asyncio.get_running_loop())
    await server.start()
    try:
        port = server.port
        assert port is not None
        token, path = await client.open_page(port, "/")
        tab = await client.join(port, path, token)
        (slider, *_) = tab.models("Slider")
        for value in range(1, 1 + _WARM_UP_MOVES):
            await tab.round_trip(slider, float(value))
        move = await _noted(tab.round_trip(slider, 7.0))
        socket = await _noted(client.connect(port, path, token))
        tab.connection.close()
    finally:
        await server.stop()
    return move, socket


def main(arguments: list[str] | None = None) -> int:
    """Print the walks; 1 if one of them is longer than allowed."""
    parser = argparse.ArgumentParser(prog="bench.walk", description=__doc__)
    parser.add_argument("--calls", action="store_true", help="print each call")
    parser.add_argument("--slider", type=int, metavar="CALLS", help="the most calls that a slider's move may take")
    parser.add_argument("--socket", type=int, metavar="CALLS", help="the most calls that opening a socket may take")
    options = parser.parse_args(arguments)
    move, socket = asyncio.run(measure())
    too_long = False
    for what, walk, most in (("a slider's move", move, options.slider), ("a page's socket", socket, options.socket)):
        print(f"{what}: {walk}")
        if options.calls:
            print("\n".join(walk.lines()))
        too_long |= most is not None and len(walk.calls) > most
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
