"""Which processes of a test run coverage measures.

Measuring takes two thirds more processor time. What browsers, proxies, containers and hosts reach on a server, tests
of the protocol reach too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType

from coverage import Coverage

MEASURED = frozenset({"tests/unit", "tests/protocol"})
"""The folders whose tests are measured, with the servers that they start."""

_put_aside: dict[str, str] = {}
_stopped: list[Coverage] = []


def measure(folder: str, module: ModuleType | None = None) -> None:
    """From now on measure what this process starts, if that is for tests of this folder, and the process itself.

    Not the latter where a module of tests of the protocol has imported nothing of ours: only a client would be traced.
    """
    if folder in MEASURED:
        os.environ.update(_put_aside)
        _put_aside.clear()
    else:
        _put_aside.update({name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_")})
    if folder in MEASURED and (folder != "tests/protocol" or module is None or uses_ours(module)):
        while _stopped:
            _stopped.pop().start()
    elif not _stopped and (current := Coverage.current()) is not None:  # None from now on
        current.stop()
        _stopped.append(current)


def uses_ours(module: ModuleType) -> bool:
    """Whether a module has imported a module, class or function of `app_server`."""
    found = (getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in vars(module).values())
    return any(str(name).partition(".")[0] == "app_server" for name in found)


def unmeasured(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that is not measured.

    Other projects' programs only become slow by it, and the time and memory that ours take would be coverage's too.
    """
    return {name: text for name, text in environ.items() if not name.startswith("COVERAGE_")}
