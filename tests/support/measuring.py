"""Which processes of a test run coverage measures.

Measuring takes two thirds more processor time. What browsers, proxies, containers and hosts reach on a server, tests
of the protocol reach too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from coverage import Coverage

MEASURED = frozenset({"tests/unit", "tests/protocol"})
"""The folders whose tests are measured, with the servers that they start."""

_put_aside: dict[str, str] = {}
_stopped: list[Coverage] = []


def measure(folder: str) -> None:
    """From now on measure this process, and what it starts, if that is for tests of this folder."""
    names = [name for name in os.environ if name.startswith("COVERAGE_")]
    if folder not in MEASURED and names:
        _put_aside.update({name: os.environ.pop(name) for name in names})
        if (current := Coverage.current()) is not None:  # None from now on
            current.stop()
            _stopped.append(current)
    elif folder in MEASURED and _put_aside:
        os.environ.update(_put_aside)
        _put_aside.clear()
        while _stopped:
            _stopped.pop().start()


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that is not measured.

    Other projects' programs only become slow by it, and the time and memory that ours take would be coverage's too.
    """
    return {name: text for name, text in environ.items() if not name.startswith("COVERAGE_")}
